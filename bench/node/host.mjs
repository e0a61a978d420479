// What the peers' modules share on the side that serves.
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Readable } from 'node:stream';

export const OK = JSON.stringify({ ok: true });

/** The answer of every route that does nothing. */
export function ok(response) {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': OK.length });
  response.end(OK);
}

/** Listen on a free port of loopback. `build` is told the origin and returns the handler. */
export async function listen(build) {
  let handler;
  const server = createServer((request, response) => handler(request, response));
  server.keepAliveTimeout = 600_000; // connections wait while other peers have their turn
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  handler = await build(origin);
  return { origin };
}

/** What one store operation waits for. At 0 it is the bare `await` of a store in memory. */
export function latency(ms) {
  return ms > 0 ? () => sleep(ms) : () => {};
}

/** A handler of web-standard requests behind `node:http`, as short as it can be. */
export function web(origin, fetch) {
  return async (request, response) => {
    const body = request.method === 'POST' ? { body: Readable.toWeb(request), duplex: 'half' } : {};
    const answer = await fetch(new Request(origin + request.url, { method: request.method, headers: request.headers, ...body }));
    const headers = Object.fromEntries(answer.headers);
    const cookies = answer.headers.getSetCookie();
    if (cookies.length) headers['set-cookie'] = cookies;
    const bytes = Buffer.from(await answer.arrayBuffer());
    headers['content-length'] = bytes.length;
    response.writeHead(answer.status, headers);
    response.end(bytes);
  };
}
