/** What every adapter moves: messages in the native module's shape, and the few answers that are not the core's. */

import type { Exchange, HttpResponse } from "./native";

/** The largest body of a request to an endpoint, in bytes. */
export const BODY_BYTES = 64 * 1024;

/** An answer to be sent as it is: header names and values by turns. */
export interface Answer {
  readonly status: number;
  readonly headers: string[];
  readonly body: string | Uint8Array;
}

/** The response of an exchange that has ended. To a HEAD there is no body. */
export function answerOf(exchange: Exchange, head: boolean): Answer {
  return { status: exchange.status, headers: lines(exchange.head(head)), body: head ? "" : exchange.body() };
}

/** A response that the core made without an exchange. */
export function answerIn({ status, head, body }: HttpResponse): Answer {
  return { status, headers: lines(head), body };
}

function lines(text: string): string[] {
  return text === "" ? [] : text.split("\n");
}

/** An answer of the adapter's own. */
export function answer(status: number, headers: readonly string[], body: string): Answer {
  return { status, headers: [...headers, "Content-Length", String(Buffer.byteLength(body))], body };
}

const JSON_HEADERS = ["Content-Type", "application/json", "Cache-Control", "no-store"];
const PAGE_HEADERS = [
  "Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store",
  "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'",
];

/** The body of a request is longer than any that an endpoint reads. */
export const TOO_LARGE = answer(413, JSON_HEADERS, '{"error":"invalid_request","error_description":"The body is too large."}');

/** No user, and no login page to send the browser to. */
export const NOBODY_SIGNED_IN = answer(
  401,
  PAGE_HEADERS,
  "<!doctype html><html lang=en><meta charset=utf-8><title>Sign in first</title><h1>Sign in first</h1>" +
    "<p>Nobody is signed in here. Sign in, and then open this page again.",
);

/** The path is nobody's. */
export const NOT_FOUND = answer(404, ["Content-Type", "text/plain; charset=utf-8"], "Not Found");

/** The answer of a guard that reads JSON-RPC. What is too large is not read to its end, so the connection ends with it. */
export function rpcError(status: 400 | 413, code: number, message: string): Answer {
  const body = JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } });
  return answer(status, status === 413 ? [...JSON_HEADERS, "Connection", "close"] : JSON_HEADERS, body);
}

/** Whether a path is one of ours. Most are not, and cost one look into a set. */
export class Paths {
  readonly #plain: ReadonlySet<string>;
  readonly #prefixes: readonly string[];
  readonly #owns: (path: string) => boolean;

  constructor(paths: readonly string[], owns: (path: string) => boolean) {
    this.#plain = new Set(paths.filter((path) => !path.includes("{")));
    // With a slash at the end a well-known path is still ours, and below /register is a name that only the core reads.
    const prefixes = paths.filter((path) => path.includes("{")).map((path) => path.slice(0, path.indexOf("{")));
    this.#prefixes = ["/.well-known/oauth-", "/.well-known/openid-", ...prefixes];
    this.#owns = owns;
  }

  /** Whether the path, as the client sent it, is answered here. */
  has(path: string): boolean {
    return this.#plain.has(path) || (this.#prefixes.some((prefix) => path.startsWith(prefix)) && this.#owns(path));
  }

  /** The paths without a placeholder. */
  get plain(): ReadonlySet<string> {
    return this.#plain;
  }
}
