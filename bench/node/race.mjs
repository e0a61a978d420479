// Races: one code or refresh token, sent many times in one go. How many win, and does the first to win keep what it got?
import { setTimeout as sleep } from 'node:timers/promises';
import { Server } from './server.mjs';

export const RUNNERS = [2, 8, 32];
export const LATENCIES = [0, 2];
const TRIALS = 5;
const SETTLE_MS = 20; // for what a server does after its answer

/** Return rows: peer, latency, and by kind and number of runners what was seen. */
export async function races(peers, say) {
  const rows = [];
  for (const peer of peers) {
    for (const latencyMs of LATENCIES) {
      say(`races: ${peer.name}, ${latencyMs} ms`);
      const server = await Server.start(peer.name, peer.journey, { latencyMs, connections: Math.max(...RUNNERS) });
      try {
        rows.push({ name: peer.name, title: peer.title, latencyMs, cells: await cells(server) });
      } finally {
        server.close();
      }
    }
  }
  return rows;
}

async function cells(server) {
  const found = [];
  for (const kind of ['redeem', 'refresh']) {
    for (const runners of RUNNERS) {
      const trials = [];
      for (let trial = 0; trial < TRIALS; trial++) trials.push(await race(server, kind, runners));
      found.push(summary(trials));
    }
  }
  return found;
}

async function race({ pool, client }, kind, runners) {
  const { flow } = client;
  const code = await (client.code ?? client.silent)(pool.ask, 0);
  let request = flow.redeem(code);
  if (kind === 'refresh') request = flow.refresh(flow.tokens(await pool.ask(request)).refresh);
  const arrived = await pool.together(new Array(runners).fill(request));
  const won = arrived.filter(({ status }) => status === 200).map((answer) => flow.tokens(answer));
  if (won.length === 0) return { winners: 0, answers: 0 };
  await sleep(SETTLE_MS);
  const [{ access, refresh }] = won;
  return {
    answers: won.length,
    winners: new Set(won.map((tokens) => tokens.refresh)).size,
    access: (await pool.ask(flow.bearer(access))).status === 200,
    refresh: (await pool.ask(flow.refresh(refresh))).status === 200,
  };
}

/** What all trials of one race came to. */
function summary(trials) {
  const range = (pick) => {
    const values = trials.map(pick);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { low, high, text: low === high ? String(low) : `${low}–${high}` };
  };
  const winners = range((trial) => trial.winners);
  const answers = range((trial) => trial.answers);
  const same = answers.high > winners.high ? ` (same answer to ${answers.text})` : '';
  const lost = ['access', 'refresh'].filter((name) => trials.some((trial) => trial[name] === false));
  const times = trials.filter((trial) => trial.access === false || trial.refresh === false).length;
  const part = times === trials.length ? '' : ` in ${times} of ${trials.length}`;
  const kept = winners.high === 0 ? 'nobody' : lost.length ? `loses ${lost.join(' and ')}${part}` : 'keeps';
  return { text: `${winners.text}${same}, ${kept}`, oneWinner: winners.low === 1 && winners.high === 1, keeps: kept === 'keeps' };
}
