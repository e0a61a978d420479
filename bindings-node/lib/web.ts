/** Web-standard messages: `Request` in, `Response` out. Hono, Deno-style and Next-style hosts are built on this. */

import type { ProtectOptions } from "./cors";
import { now, seed } from "./environment";
import { MisuseError } from "./errors";
import type { Guarded, Lockstep } from "./lockstep";
import type { AuthInfo } from "./mcp";
import { type Answer, answer, answerOf, BODY_BYTES, NOBODY_SIGNED_IN, NOT_FOUND, Paths, TOO_LARGE } from "./messages";
import type { Identity } from "./types";
import { webGuard } from "./web_guard";
import { respond, target } from "./web_messages";

/** What a `Request` does not say. */
export interface Around {
  /** The peer's address as the server saw it, for budgets and audit events. */
  peer?: string | undefined;
  /** What `signIn` is called with; the `Request` when left out. */
  request?: unknown;
}

/**
 * A handler behind a guard: who is calling, the same in the words of the official MCP SDK
 * (`transport.handleRequest(request, { authInfo })`), and whatever else the framework hands to its handlers.
 */
export type WebHandler<Rest extends unknown[] = any[]> = (request: Request, identity: Identity, authInfo: AuthInfo, ...rest: Rest) => Response | Promise<Response>;
/** What a framework calls. */
export type GuardedWebHandler<Rest extends unknown[] = any[]> = (request: Request, ...rest: Rest) => Promise<Response>;

/** The seat for web-standard handlers. Its methods need no `this`: `export const GET = auth.web.fetch`. */
export interface WebSeat {
  /** Whether a request is for one of the endpoints or well-known documents. */
  owns(this: void, request: Request): boolean;
  /** Answers a request for an endpoint; any other is answered 404. */
  fetch(this: void, request: Request, around?: Around): Promise<Response>;
  /** Checks a request's bearer token: the identity, or the response to send instead. */
  authenticate(this: void, request: Request, guarded?: Guarded, around?: Around): Promise<{ identity: Identity } | { response: Response }>;
  /** Wraps a handler so that only requests whose token has all of the scopes get through. */
  requireBearer<Rest extends unknown[]>(this: void, guarded: Guarded, handler: WebHandler<Rest>): GuardedWebHandler<Rest>;
  /** The guard of an MCP route: as `requireBearer`, with CORS, scopes by tool, and challenges for what tools throw. */
  protect<Rest extends unknown[]>(this: void, options: ProtectOptions, handler: WebHandler<Rest>): GuardedWebHandler<Rest>;
}

/** @internal */
export function webSeat(auth: Lockstep): WebSeat {
  const { native } = auth;
  const paths = new Paths(native.paths(), (path) => native.owns(path));

  const guarded = <Rest extends unknown[]>(options: ProtectOptions, handler: WebHandler<Rest>, where: "requireBearer" | "protect"): GuardedWebHandler<Rest> => {
    if (typeof handler !== "function") throw new MisuseError(where, `it wraps a handler: auth.web.${where}({ … }, (request, identity) => …)`);
    const route = webGuard(auth, options, where);
    return (request, ...rest) => route(request, {}, (identity, authInfo) => handler(request, identity, authInfo, ...rest));
  };

  return {
    owns: (request) => paths.has(target(request).path),

    async fetch(request, around) {
      const { path, query } = target(request);
      const { method } = request;
      const head = method === "HEAD";
      if (!paths.has(path)) return respond(NOT_FOUND, head);
      let body: Uint8Array | undefined;
      if (method !== "GET" && !head && method !== "OPTIONS") {
        const read = await readBody(request);
        if (!(read instanceof Uint8Array)) return respond(read, false);
        body = read;
      }
      const headers = [...request.headers].flat();
      const lines = [method, path, query, around?.peer ?? "", ...headers].join("\n");
      const exchange = native.handle(lines, headers.length, body ?? null, now(), seed());
      const nobody = await auth.answer(exchange, around?.request ?? request);
      return respond(nobody ? NOBODY_SIGNED_IN : answerOf(exchange, head), head);
    },

    async authenticate(request, guarded = {}, around = {}) {
      const credential = request.headers.get("authorization");
      const gate = auth.gate(guarded, "authenticate");
      const checked = await gate.check(credential === null ? [] : [credential], target(request).query, around.peer ?? "", around.request ?? request);
      if ("identity" in checked) return { identity: checked.identity };
      const head = request.method === "HEAD";
      return { response: respond(answerOf(checked.refused, head), head) };
    },

    requireBearer: (options, handler) => guarded(options, handler, "requireBearer"),
    protect: (options, handler) => guarded(options, handler, "protect"),
  };
}

const CUT_SHORT = answer(400, ["Content-Type", "application/json", "Cache-Control", "no-store"], '{"error":"invalid_request","error_description":"The body was cut short."}');

/** Reads the whole body, or says what to answer to one that is too large or that breaks off. */
async function readBody(request: Request): Promise<Uint8Array | Answer> {
  if (request.bodyUsed || request.body?.locked) {
    throw new MisuseError("body", "something has read the body before; put auth.hono(), or auth.web.fetch, in front of what reads it");
  }
  if (Number(request.headers.get("content-length")) > BODY_BYTES) return TOO_LARGE;
  if (request.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      length += read.value.length;
      if (length > BODY_BYTES) {
        await reader.cancel();
        return TOO_LARGE;
      }
      parts.push(read.value);
    }
  } catch {
    return CUT_SHORT;
  }
  return Buffer.concat(parts);
}
