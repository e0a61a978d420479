/** An answer of `node:http` that is held back until its first words are known, so that an error can still become a challenge. */

import type { ServerResponse } from "node:http";
import type { Call } from "./context";
import type { Answer } from "./messages";
import { send } from "./node";
import { isError } from "./rpc";

/** The most of an answer that is held back while it may still become a challenge, in bytes. */
export const HELD_BYTES = 1024 * 1024;

/** What turns a missing scope into an answer. */
export interface HeldOptions {
  /** The answer to the scopes that a handler found missing. */
  challenge(missing: readonly string[]): Answer;
  /**
   * Whether what is no error by its status goes out at once. The answer to a GET may wait for events, and a plain handler has
   * no errors but those of its status.
   */
  immediate: boolean;
}

type Done = (error?: Error | null) => void;
type Loose = (...given: unknown[]) => unknown;

/**
 * Holds the start of a response back.
 *
 * The MCP SDK answers a tool's exception with status 200, in JSON or as an event; sometimes it starts the answer before the
 * tool runs. Once something else has gone out (a progress notification, a keep-alive), it is too late, and the client sees
 * the tool's error.
 */
export function hold(response: ServerResponse, call: Call, { challenge, immediate }: HeldOptions): void {
  const own = { writeHead: response.writeHead, write: response.write, end: response.end, flushHeaders: response.flushHeaders };
  let start: unknown[] | undefined;
  let held = Buffer.alloc(0);

  const status = (): number => (start === undefined ? response.statusCode : (start[0] as number));

  const open = (): void => {
    Object.assign(response, own);
    if (start !== undefined) (response.writeHead as Loose)(...start);
    if (held.length > 0) response.write(held);
  };

  const replace = (): void => {
    Object.assign(response, own);
    for (const name of response.getHeaderNames()) if (!name.startsWith("access-control-") && name !== "vary") response.removeHeader(name);
    response.statusMessage = ""; // that of the status
    send(response, challenge(call.missing ?? []));
    // What the handler goes on to say is not heard.
    const silent = (...given: unknown[]): boolean => {
      tell(given);
      return true;
    };
    Object.assign(response, { writeHead: () => response, write: silent, flushHeaders: () => undefined, end: (...given: unknown[]) => (silent(...given), response) });
  };

  /** What becomes of the answer when this much more of it is there. */
  const verdict = (part: Buffer, complete: boolean): "open" | "replace" | "hold" => {
    if (call.missing === undefined) {
      const silent = part.length === 0 && !complete && !(immediate && status() < 400);
      return silent ? "hold" : "open"; // the start of a stream: nothing is said yet
    }
    if (status() >= 400) return "replace";
    if (immediate) return "open";
    const body = Buffer.concat([held, part]);
    const judged = isError(status(), contentType(response, start), body, complete);
    if (judged === true) return "replace";
    return judged === undefined && !complete && body.length < HELD_BYTES ? "hold" : "open";
  };

  Object.assign(response, {
    writeHead(...head: unknown[]) {
      start = head;
      if (immediate && status() < 400) open();
      return response;
    },
    flushHeaders() {
      if (verdict(Buffer.alloc(0), false) !== "open") return;
      open();
      response.flushHeaders();
    },
    write(...given: unknown[]) {
      const part = bytes(given);
      const judged = verdict(part, false);
      if (judged === "hold") {
        held = Buffer.concat([held, part]);
        tell(given);
        return true;
      }
      if (judged === "replace") replace();
      else open();
      return (response.write as Loose)(...given);
    },
    end(...given: unknown[]) {
      if (call.missing !== undefined && verdict(bytes(given), true) === "replace") replace();
      else open();
      return (response.end as Loose)(...given);
    },
  });
}

/** What `write(chunk, encoding, done)` or `end(…)` was given, each of which may be left out. */
function bytes([chunk, encoding]: unknown[]): Buffer {
  if (typeof chunk === "string") return Buffer.from(chunk, typeof encoding === "string" ? (encoding as BufferEncoding) : "utf8");
  return chunk instanceof Uint8Array ? Buffer.from(chunk) : Buffer.alloc(0);
}

function tell(given: unknown[]): void {
  const done = given.find((one): one is Done => typeof one === "function");
  if (done !== undefined) process.nextTick(done);
}

/** The content type of a response that has not started. */
function contentType(response: ServerResponse, start: unknown[] | undefined): string {
  const given = start?.find((one) => typeof one === "object" && one !== null);
  const pairs = Array.isArray(given) ? paired(given) : Object.entries(given ?? {});
  const found = pairs.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? response.getHeader("content-type");
  return String(found ?? "");
}

function paired(given: readonly unknown[]): [string, unknown][] {
  if (Array.isArray(given[0])) return given as [string, unknown][];
  return given.flatMap((name, at) => (at % 2 === 0 ? [[String(name), given[at + 1]] as [string, unknown]] : []));
}
