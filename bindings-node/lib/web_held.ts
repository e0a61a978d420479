/** A web-standard response that is held back until its first words are known, so that an error can still become a challenge. */

import type { Call } from "./context";
import { HELD_BYTES } from "./held";
import { isError } from "./rpc";

/**
 * Returns the response once its first words stand, or the challenge when they report an error for want of a scope.
 *
 * The MCP SDK answers a tool's exception with status 200, in JSON or as an event; with events, it returns the response
 * before the tool runs. Once something else has gone out (a progress notification, a keep-alive), it is too late.
 */
export async function held(response: Response, call: Call, challenge: () => Response): Promise<Response> {
  const kind = response.headers.get("content-type") ?? "";
  // Nothing else can report an error.
  if (response.body === null || !/^\s*(?:text\/event-stream|application\/json)\b/i.test(kind)) return response;
  const reader = response.body.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (value !== undefined && value.length > 0) {
      parts.push(value);
      length += value.length;
    }
    if (call.missing !== undefined) {
      const judged = isError(response.status, kind, Buffer.concat(parts), done);
      if (judged === true) {
        await reader.cancel();
        return challenge();
      }
      if (judged === undefined && !done && length < HELD_BYTES) continue;
    } else if (!done && length === 0) {
      continue; // the start of a stream: nothing is said yet
    }
    return new Response(rest(parts, reader, done), { status: response.status, statusText: response.statusText, headers: response.headers });
  }
}

/** What was held, and then what follows: untouched, and no faster than it is asked for. */
function rest(parts: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>, done: boolean): ReadableStream<Uint8Array> | BodyInit | null {
  if (done) return parts.length === 1 ? (parts[0] as BodyInit) : Buffer.concat(parts);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = parts.shift();
        if (next !== undefined) return controller.enqueue(next);
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  );
}
