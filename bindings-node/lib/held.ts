/** An answer of `node:http` that is held back until its first words are known, so that an error can still become a challenge. */

import type { ServerResponse } from "node:http";
import type { Call } from "./context";
import { type Answer } from "./messages";
import { send } from "./node";
import { isError } from "./rpc";

/** The most of an answer that is held back while it may still become a challenge, in bytes. */
const HELD_BYTES = 1024 * 1024;

/** What turns a missing scope into an answer. */
export interface HeldOptions {
  /** The answer to the scopes that a handler found missing. */
  challenge(missing: readonly string[]): Answer;
  /**
   * Whether the start of a stream goes out at once unless it is an error. The answer to a GET may wait for events, and a
   * plain handler has no errors but those of its status.
   */
  immediate: boolean;
}

type Chunk = string | Uint8Array | undefined;
type Done = (error?: Error | null) => void;

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
  let held: Buffer[] = [];

  const open = (): void => {
    Object.assign(response, own);
    if (start !== undefined) (response.writeHead as (...head: unknown[]) => unknown)(...start);
    for (const part of held) response.write(part);
    held = [];
  };

  const replace = (): void => {
    Object.assign(response, own);
    for (const name of response.getHeaderNames()) if (!name.startsWith("access-control-") && name !== "vary") response.removeHeader(name);
    send(response, challenge(call.missing ?? []));
    // What the handler goes on to say is not heard.
    const silent = (...given: unknown[]): boolean => {
      const done = given.find((one): one is Done => typeof one === "function");
      if (done !== undefined) process.nextTick(done);
      return true;
    };
    Object.assign(response, { writeHead: () => response, write: silent, flushHeaders: () => undefined, end: (...given: unknown[]) => (silent(...given), response) });
  };

  /** Whether the answer stands, or may not stand, or cannot be judged yet. */
  const verdict = (part: Chunk, complete: boolean): "open" | "replaced" | "held" => {
    const status = start === undefined ? response.statusCode : (start[0] as number);
    if (call.missing === undefined) {
      if (!complete && (part === undefined || part.length === 0) && status < 400 && !immediate) return "held"; // nothing is said yet
      if (!complete && status >= 400) return "open";
      return "open";
    }
    if (status >= 400) return "replaced";
    if (immediate) return "open";
    const body = Buffer.concat(part === undefined ? held : [...held, Buffer.from(part as string)]);
    const judged = isError(status, contentType(response, start), body, complete);
    if (judged === true) return "replaced";
    return judged === undefined && !complete && body.length < HELD_BYTES ? "held" : "open";
  };

  Object.assign(response, {
    writeHead(...head: unknown[]) {
      start = head;
      if (immediate && (head[0] as number) < 400) open();
      return response;
    },
    flushHeaders() {
      if (verdict(undefined, false) === "open" && call.missing === undefined && immediate) {
        open();
        response.flushHeaders();
      }
    },
    write(...given: unknown[]) {
      const [chunk, encoding] = given as [Chunk, unknown];
      const judged = verdict(chunk, false);
      if (judged === "held") {
        if (chunk !== undefined && chunk.length > 0) held.push(typeof encoding === "string" ? Buffer.from(chunk as string, encoding as BufferEncoding) : Buffer.from(chunk as string));
        const done = given.find((one): one is Done => typeof one === "function");
        if (done !== undefined) process.nextTick(done);
        return true;
      }
      if (judged === "replaced") replace();
      else open();
      return (response.write as (...given: unknown[]) => boolean)(...given);
    },
    end(...given: unknown[]) {
      const chunk = typeof given[0] === "function" ? undefined : (given[0] as Chunk);
      if (verdict(chunk ?? undefined, true) === "replaced") replace();
      else open();
      return (response.end as (...given: unknown[]) => ServerResponse)(...given);
    },
  });
}

/** The content type of a response that has not started. */
function contentType(response: ServerResponse, start: unknown[] | undefined): string {
  const given = start?.find((one) => typeof one === "object" && one !== null);
  const pairs = Array.isArray(given) ? paired(given) : Object.entries(given ?? {});
  const found = pairs.find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? response.getHeader("content-type");
  return String(found ?? "");
}

function paired(flat: readonly unknown[]): [string, unknown][] {
  if (Array.isArray(flat[0])) return flat as [string, unknown][];
  return flat.flatMap((name, at) => (at % 2 === 0 ? [[String(name), flat[at + 1]] as [string, unknown]] : []));
}
