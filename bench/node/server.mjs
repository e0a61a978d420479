// A server process as the side that asks sees it.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { Pool } from './load.mjs';

const SERVE = fileURLToPath(new URL('serve.mjs', import.meta.url));
const PROCESSORS = processors();

/** The processors that this process may use, or none where there is no `taskset` to say so: then nobody is pinned. */
function processors() {
  const { status, stdout } = spawnSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' });
  if (status !== 0) return [];
  const ranges = stdout.slice(stdout.lastIndexOf(':') + 1).trim().split(',').map((range) => range.split('-').map(Number));
  return ranges.flatMap(([first, last = first]) => Array.from({ length: last - first + 1 }, (_, index) => first + index));
}

/** Stay on the last processor; servers are pinned to the first. */
export function pinLoad() {
  if (PROCESSORS.length > 1) spawnSync('taskset', ['-acp', String(PROCESSORS.at(-1)), String(process.pid)]);
}

export class Server {
  static async start(peer, journey, { bearer = journey.bearers[0], latencyMs = 0, connections = 16 } = {}) {
    const server = new Server();
    const command = [process.execPath, SERVE, peer, bearer, String(latencyMs)];
    const [program, ...words] = PROCESSORS.length > 1 ? ['taskset', '-c', String(PROCESSORS[0]), ...command] : command;
    const env = { ...process.env, NODE_ENV: 'production', ...journey.environment };
    server.process = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], env });
    let said = '';
    server.process.stderr.on('data', (part) => (said = (said + part).slice(-4000))); // shown only when it matters
    server.process.once('close', (code) => {
      if (code) throw new Error(`bench: ${peer} ended with ${code}: ${said}`);
    });
    server.name = peer;
    server.bearer = bearer;
    const [{ origin }] = await once(server.process, 'message');
    server.pool = await Pool.open(origin, connections);
    server.client = await journey.open(origin, server.pool.ask, bearer);
    return server;
  }

  /** CPU microseconds, user and system, that `work` costs the server. */
  async spent(work) {
    const before = await this.#question('cpu');
    const result = await work();
    return { micros: (await this.#question('cpu')) - before, result };
  }

  tidy() {
    return this.#question('tidy');
  }

  close() {
    this.pool.close();
    this.process.disconnect();
  }

  async #question(text) {
    this.process.send(text);
    const [answer] = await once(this.process, 'message');
    return answer;
  }
}
