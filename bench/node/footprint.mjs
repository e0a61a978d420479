// What a dependency costs before it does anything: the time to import it, its packages and its megabytes.
import { cpSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { median } from './peers.mjs';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const RUNS = 7;

/** Return, by peer, the CPU milliseconds that importing it takes: medians over fresh processes, beyond a Node that imports nothing. */
export function imports(peers) {
  const seen = peers.map(({ name }) => ({ name, whole: [], native: [] }));
  for (let run = 0; run < RUNS; run++) {
    for (const [index, { imports: specifiers, shim, native }] of peers.entries()) {
      const before = shim ? `(${shim})();` : '';
      const empty = probe(before);
      seen[index].whole.push(probe(before + specifiers.map((specifier) => `await import('${specifier}');`).join('')) - empty);
      if (native) seen[index].native.push(probe(loading(native)) - empty);
    }
  }
  return new Map(seen.map(({ name, whole, native }) => [name, { whole: median(whole), native: native.length ? median(native) : 0 }]));
}

/** Code that loads a native module by itself. */
function loading(folder) {
  const file = readdirSync(join(HERE, folder)).find((name) => name.endsWith('.node'));
  return `process.dlopen({ exports: {} }, ${JSON.stringify(join(HERE, folder, file))});`;
}

/** CPU milliseconds of a fresh process that runs this code. By the clock a busy machine would count as slow code. */
function probe(code) {
  const head = "import { register } from 'node:module';";
  const tail = 'const { user, system } = process.cpuUsage(); console.log((user + system) / 1000);';
  const text = execFileSync(process.execPath, ['--input-type=module', '-e', head + code + tail], { cwd: HERE, stdio: ['ignore', 'pipe', 'ignore'] });
  return Number(text.toString().trim().split('\n').at(-1));
}

/** Return, by peer, packages and megabytes of an installation that holds nothing else. */
export function sizes(peers, say) {
  return new Map(
    peers.map((peer) => {
      say(`installing ${peer.name} alone`);
      return [peer.name, size(alone(peer))];
    }),
  );
}

/** Install a peer in an empty folder, at the versions of the lock file; return the folder. */
function alone({ name, packages }) {
  const folder = join(HERE, '..', 'bench-node-alone', name);
  const lock = readFileSync(join(HERE, 'package-lock.json'), 'utf8');
  const locked = JSON.parse(readFileSync(join(HERE, 'package.json'), 'utf8')).dependencies;
  const tarball = process.env.LOCKSTEP_NODE;
  const dependencies = Object.fromEntries(packages.map((one) => [one, locked[one] ?? `file:${tarball}`]));
  const stamp = join(folder, 'stamp');
  const wanted = JSON.stringify(dependencies) + (tarball && existsSync(tarball) ? lstatSync(tarball).mtimeMs : '') + lock;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return folder;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  if (packages.every((one) => locked[one])) cpSync(join(HERE, 'package-lock.json'), join(folder, 'package-lock.json'));
  execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  writeFileSync(stamp, wanted);
  return folder;
}

function size(folder) {
  const installed = JSON.parse(readFileSync(join(folder, 'node_modules', '.package-lock.json'), 'utf8')).packages;
  return { packages: Object.keys(installed).length, megabytes: bytes(join(folder, 'node_modules')) / 1e6 };
}

function bytes(path) {
  const found = lstatSync(path);
  if (!found.isDirectory()) return found.size;
  return readdirSync(path).reduce((sum, name) => sum + bytes(join(path, name)), 0);
}
