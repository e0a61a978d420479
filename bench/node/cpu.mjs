// CPU time per request: all servers are up at once and take turns in short rounds, so that what else the machine does falls on all.
import { Unexpected } from './flow.mjs';
import { median } from './peers.mjs';
import { Server } from './server.mjs';
import * as floor from './peers/floor.mjs';

const ROUNDS = 11;
const WARM_MS = 1500;
const FLOOR_BATCH = 320;
/** The steps of a round. In each, everyone who knows it takes a turn, so that what is compared was measured close together. */
const STEPS = ['consent', 'authorize', 'redeem', 'refresh', 'bearer', 'again', 'routes'];

/** One server and what it hands from one step to the next. */
class Contender {
  /** Microseconds by kind, one value a round. */
  spent = new Map();
  requests = new Map();

  static async start(peer, format) {
    const contender = new Contender();
    Object.assign(contender, { peer, format, server: await Server.start(peer.name, peer.journey, { bearer: format }) });
    const asking = [];
    for (let turn = 0; turn < 15; turn++) asking.push((await contender.server.spent(async () => {})).micros);
    contender.asking = median(asking); // what asking for the CPU time costs by itself
    return contender;
  }

  /** Whether this is the one that stands for its peer; the others are there for their kind of access token. */
  get first() {
    return this.format === this.peer.journey.bearers[0];
  }

  forget() {
    this.spent.clear();
  }

  async consent() {
    const { consent } = this.server.client;
    if (consent && this.first) await this.#journeys('consent', consent);
  }

  async authorize() {
    const { silent } = this.server.client;
    if (silent) this.codes = await this.#journeys('authorize', silent);
  }

  async redeem() {
    await this.#tokens('redeem', (flow) => this.codes.map((code) => flow.redeem(code)));
  }

  async refresh() {
    if (this.first) await this.#tokens('refresh', (flow) => this.held.map(({ refresh }) => flow.refresh(refresh)));
  }

  async bearer() {
    await this.#bearer(this.format);
  }

  async again() {
    if (this.format !== 'opaque') await this.#bearer(`${this.format} again`);
  }

  async routes() {
    if (!this.first) return;
    for (const [name, make] of Object.entries(this.server.client.routes ?? {})) {
      const requests = [];
      for (let index = 0; index < this.peer.batch; index++) requests.push(await make());
      await this.#all(name, requests, 200);
    }
  }

  async #journeys(kind, journey) {
    const { pool } = this.server;
    const before = pool.sent;
    const codes = await this.#measure(kind, this.peer.batch, () => pool.journeys(this.peer.batch, journey));
    this.requests.set(kind, Math.round((pool.sent - before) / this.peer.batch));
    return codes;
  }

  async #tokens(kind, make) {
    const { flow } = this.server.client;
    if (flow) this.held = (await this.#all(kind, make(flow))).map((answer) => flow.tokens(answer));
  }

  async #bearer(kind) {
    const { flow } = this.server.client;
    if (flow) await this.#all(kind, this.held.map(({ access }) => flow.bearer(access)), 200);
  }

  async #all(kind, requests, status) {
    this.requests.set(kind, 1);
    const answers = await this.#measure(kind, requests.length, () => this.server.pool.all(requests));
    for (const answer of answers) if (status && answer.status !== status) throw new Unexpected(kind, answer);
    return answers;
  }

  async #measure(kind, count, work) {
    const { micros, result } = await this.server.spent(work);
    this.spent.set(kind, [...(this.spent.get(kind) ?? []), (micros - this.asking) / count]);
    return result;
  }
}

/** Return what was seen, by peer and kind, and by floor: `{ rounds, micros, requests }`. */
export async function measure(peers, say) {
  const contenders = [];
  try {
    contenders.push(await Contender.start({ ...floor, name: 'floor', batch: FLOOR_BATCH }, 'none'));
    for (const peer of peers) for (const format of peer.journey.bearers) contenders.push(await Contender.start(peer, format));
    for (const contender of contenders) {
      say(`warming up ${contender.peer.name} ${contender.format}`);
      for (const end = Date.now() + WARM_MS; Date.now() < end; ) await round([contender]);
      contender.forget();
    }
    say(`${ROUNDS} rounds`);
    for (let turn = 0; turn < ROUNDS; turn++) await round(turn % 2 ? contenders.toReversed() : contenders);
  } finally {
    for (const { server } of contenders) server.close();
  }
  return collect(contenders);
}

async function round(contenders) {
  for (const step of STEPS) for (const contender of contenders) await contender[step]();
  for (const { server } of contenders) await server.tidy();
}

function collect(contenders) {
  const floors = new Map();
  const figures = new Map(contenders.map(({ peer }) => [peer.name, new Map()]));
  for (const { peer, format, first, spent, requests, server } of contenders) {
    for (const [kind, rounds] of spent) {
      const figure = { rounds, micros: median(rounds), requests: requests.get(kind) };
      if (server.client.routes?.[kind]) floors.set(kind, figure);
      else if (first || kind.startsWith(format)) figures.get(peer.name).set(kind, figure);
    }
  }
  return { floors, figures };
}

/** How many times the other's one figure is: the median of the ratios of single rounds, in which both met the same weather. */
export function ratio(one, other) {
  return median(one.rounds.map((micros, turn) => micros / other.rounds[turn]));
}
