// CPU time per request: all servers are up at once and take turns in short rounds, so that what else the machine does falls on all.
import { Unexpected } from './flow.mjs';
import { median } from './peers.mjs';
import { Server } from './server.mjs';
import * as floor from './peers/floor.mjs';

const ROUNDS = 11;
const WARM_MS = 2500;
const FLOOR_BATCH = 320;

/** One server and what it hands from one kind of request to the next. */
class Contender {
  spent = new Map();
  requests = new Map();

  constructor(peer, server) {
    Object.assign(this, { peer, server, batch: peer.batch, held: [] });
    this.first = server.bearer === peer.journey.bearers[0];
  }

  static async start(peer, bearer) {
    const contender = new Contender(peer, await Server.start(peer.name, peer.journey, { bearer }));
    const asking = [];
    for (let turn = 0; turn < 15; turn++) asking.push((await contender.server.spent(async () => {})).micros);
    contender.asking = median(asking); // what asking for the CPU time costs by itself
    return contender;
  }

  /** The kinds of requests, in the order in which they need each other. */
  kinds() {
    const { bearer, client } = this.server;
    const kinds = [];
    if (client.flow) {
      if (this.first && client.consent) kinds.push(['consent', () => this.#journeys('consent', client.consent)]);
      kinds.push(
        ['authorize', async () => (this.codes = await this.#journeys('authorize', client.silent))],
        ['redeem', () => this.#tokens('redeem', this.codes.map((code) => client.flow.redeem(code)))],
        ['refresh', () => this.#tokens('refresh', this.held.map(({ refresh }) => client.flow.refresh(refresh)))],
        [bearer, () => this.#bearer(bearer)],
      );
      if (bearer !== 'opaque') kinds.push([`${bearer} again`, () => this.#bearer(`${bearer} again`)]);
    }
    for (const [name, make] of Object.entries(client.routes ?? {})) {
      if (this.first) kinds.push([name, () => this.#route(name, make)]);
    }
    return kinds;
  }

  forget() {
    this.spent.clear();
  }

  /** Medians by kind, of one request or one whole journey. */
  medians() {
    return Array.from(this.spent, ([kind, values]) => [kind, { micros: median(values), requests: this.requests.get(kind) }]);
  }

  async #journeys(kind, journey) {
    const { pool } = this.server;
    const before = pool.sent;
    const codes = await this.#measure(kind, this.batch, () => pool.journeys(this.batch, journey));
    this.requests.set(kind, Math.round((pool.sent - before) / this.batch));
    return codes;
  }

  async #tokens(kind, requests) {
    const { flow } = this.server.client;
    this.held = (await this.#all(kind, requests)).map((answer) => flow.tokens(answer));
  }

  async #bearer(kind) {
    const { flow } = this.server.client;
    await this.#all(kind, this.held.map(({ access }) => flow.bearer(access)), 200);
  }

  async #route(name, make) {
    const requests = [];
    for (let index = 0; index < this.batch; index++) requests.push(await make());
    await this.#all(name, requests, 200);
  }

  async #all(kind, requests, status) {
    this.requests.set(kind, 1);
    const answers = await this.#measure(kind, requests.length, () => this.server.pool.all(requests));
    for (const answer of answers) if (status && answer.status !== status) throw new Unexpected(kind, answer);
    return answers;
  }

  async #measure(kind, count, work) {
    const { micros, result } = await this.server.spent(work);
    const values = this.spent.get(kind) ?? [];
    this.spent.set(kind, [...values, (micros - this.asking) / count]);
    return result;
  }
}

/** Return `{ floors: Map(name → micros), figures: Map(peer → Map(kind → { micros, requests })) }`. */
export async function measure(peers, say) {
  const contenders = [];
  try {
    contenders.push(await Contender.start({ ...floor, name: 'floor', batch: FLOOR_BATCH }, 'none'));
    for (const peer of peers) for (const bearer of peer.journey.bearers) contenders.push(await Contender.start(peer, bearer));
    for (const contender of contenders) {
      say(`warming up ${contender.server.name} ${contender.server.bearer}`);
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

/** One kind of request after the other, everyone taking turns in each. */
async function round(contenders) {
  const plans = contenders.map((contender) => contender.kinds());
  for (let step = 0; step < Math.max(...plans.map((plan) => plan.length)); step++) {
    for (const plan of plans) await plan[step]?.[1]();
  }
  for (const { server } of contenders) await server.tidy();
}

function collect(contenders) {
  const floors = new Map();
  const figures = new Map();
  for (const contender of contenders) {
    const { name } = contender.peer;
    const mine = figures.get(name) ?? figures.set(name, new Map()).get(name);
    for (const [kind, figure] of contender.medians()) {
      if (contender.server.client.routes?.[kind]) floors.set(kind, figure.micros);
      else if (contender.first || kind.startsWith(contender.server.bearer)) mine.set(kind, figure);
    }
  }
  figures.delete('floor');
  return { floors, figures };
}
