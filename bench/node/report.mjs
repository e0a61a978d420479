// What was measured, as markdown.
import { ratio } from './cpu.mjs';
import { LATENCIES, RUNNERS } from './race.mjs';

const KINDS = new Map([
  ['authorize', 'authorize, nobody is asked'],
  ['consent', 'authorize, whole journey with a consent page'],
  ['redeem', 'redeem a code'],
  ['refresh', 'refresh, rotating'],
  ['opaque', 'bearer, opaque'],
  ['ES256', 'bearer, ES256, first sight'],
  ['ES256 again', 'bearer, ES256, seen before'],
  ['RS256', 'bearer, RS256, first sight'],
  ['RS256 again', 'bearer, RS256, seen before'],
]);
const EMPTY = 'node:http, empty answer';
const ES256_FLOOR = 'node:http and one ES256 verification (`crypto.verify`)';
const BASE = 'sdk';

/** Return the whole document. */
export function report(found) {
  const { peers, figures, floors } = found;
  const lines = [
    '# Side by side, on Node',
    '',
    found.head,
    'Trust the ratios, not the figures: all ran in turns in this one run. How to read it: bench/README.md.',
  ];
  const table = (title, columns, rows) => {
    lines.push('', `### ${title}`, '', row(columns), `|---|${'---:|'.repeat(columns.length - 1)}`, ...rows.map(row));
  };
  const titles = peers.map(({ title }) => title);
  const figure = (kind, { name }) => figures.get(name).get(kind);

  table('CPU µs per request, and how many times the SDK’s', ['', ...titles], Array.from(KINDS, ([kind, name]) => [
    name,
    ...peers.map((peer) => {
      const [mine, base] = [figure(kind, peer), figures.get(BASE).get(kind)];
      if (!mine) return 'n/a';
      return mine.micros.toFixed(0) + (base && peer.name !== BASE ? ` (${times(ratio(mine, base))})` : '') + requests(mine);
    }),
  ]));
  const empty = floors.get(EMPTY).micros;
  table('The same, added to empty answers of `node:http`', ['', ...titles], Array.from(KINDS, ([kind, name]) => [
    name,
    ...peers.map((peer) => {
      const mine = figure(kind, peer);
      return mine ? (mine.micros - empty * mine.requests).toFixed(0) : 'n/a';
    }),
  ]));
  table('Floors', ['', 'CPU µs', 'added'], Array.from(floors, ([name, { micros }]) => [name, micros.toFixed(1), (micros - empty).toFixed(1)]));
  table(
    'Footprint, each installed alone',
    ['', 'packages', 'MB', 'import, CPU ms'],
    peers.filter(({ name }) => found.sizes.has(name)).map(({ name, title }) => {
      const [{ packages, megabytes }, { whole, native }] = [found.sizes.get(name), found.imports.get(name)];
      return [title, packages, megabytes.toFixed(1), whole.toFixed(1) + (native ? `, of which the native module ${native.toFixed(1)}` : '')];
    }),
  );
  const columns = ['code', 'refresh token'].flatMap((what) => RUNNERS.map((count) => `${what} × ${count}`));
  table(
    'Races: winners, and does the first winner keep its tokens',
    ['', 'store latency', ...columns],
    found.races.map(({ title, latencyMs, cells }) => [title, `${latencyMs} ms`, ...cells.map(({ text }) => text)]),
  );
  lines.push('', '### What each does', '');
  for (const { title, notes } of peers) {
    if (!notes) continue;
    lines.push(`- **${title}.** Authorize: ${notes.authorize}. With a page: ${notes.consent}. Bearer: ${notes.bearer}.`);
  }
  if (peers.some(({ name }) => name === 'lockstep')) lines.push(...verdicts(found));
  return `${lines.join('\n')}\n`;
}

/** Whether ours reaches what it set out to reach. */
function verdicts({ figures, floors, sizes, imports, races }) {
  const [ours, sdk] = [figures.get('lockstep'), figures.get(BASE)];
  const part = (kind, other, most, name) => {
    const found = ratio(ours.get(kind), other);
    return [KINDS.get(kind), `at most ${most}× ${name}`, `${found.toFixed(2)}×`, found <= most];
  };
  const { whole, native } = imports.get('lockstep');
  const mine = races.filter(({ name }) => name.startsWith('lockstep')).flatMap(({ cells }) => cells);
  const held = mine.filter(({ oneWinner, keeps }) => oneWinner && keeps).length;
  const targets = [
    ...['authorize', 'redeem', 'refresh', 'opaque'].map((kind) => part(kind, sdk.get(kind), 1, 'the SDK’s')),
    part('ES256', floors.get(ES256_FLOOR), 1, '`node:http` and OpenSSL’s verification'),
    part('ES256 again', ours.get('opaque'), 1.15, 'the opaque figure'),
    ['import, without the native module', 'at most 15 CPU ms', `${(whole - native).toFixed(1)} CPU ms`, whole - native <= 15],
    ['packages', '1', sizes.get('lockstep').packages, sizes.get('lockstep').packages === 1],
    [`races at ${LATENCIES.join(' and ')} ms`, 'one winner, always, and it keeps its tokens', `${held} of ${mine.length}`, held === mine.length],
  ];
  const rows = targets.map(([name, target, seen, met]) => row([name, target, seen, met ? 'met' : 'NOT MET']));
  return ['', '### Targets', '', row(['', 'target', 'seen', '']), '|---|---|---:|---|', ...rows];
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const times = (ratio) => `${ratio.toFixed(ratio < 10 ? 2 : 0)}×`;
const requests = ({ requests: count }) => (count > 1 ? `, ${count} requests` : '');
