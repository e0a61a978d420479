/** Web-standard messages: `Request` in, `Response` out. Hono, Deno-style and Next-style hosts are built on this. */

import { call } from "./context";
import { ALLOWED } from "./drive";
import { now, seed } from "./environment";
import { MisuseError } from "./errors";
import { type Guarded, identityOf, type Lockstep } from "./lockstep";
import { type Answer, answerOf, BODY_BYTES, NOBODY_SIGNED_IN, NOT_FOUND, Paths, TOO_LARGE } from "./messages";
import type { Identity } from "./types";

/** What a `Request` does not say. */
export interface Around {
  /** The peer's address as the server saw it, for budgets and audit events. */
  peer?: string | undefined;
  /** What `signIn` is called with; the `Request` when left out. */
  request?: unknown;
}

/** The seat for web-standard handlers. */
export interface WebSeat {
  /** Whether a request is for one of the endpoints or well-known documents. */
  owns(request: Request): boolean;
  /** Answers a request for an endpoint; any other is answered 404. */
  fetch(request: Request, around?: Around): Promise<Response>;
  /** Checks a request's bearer token: the identity, or the response to send instead. */
  authenticate(request: Request, guarded?: Guarded, around?: Around): Promise<{ identity: Identity } | { response: Response }>;
  /** Wraps a handler so that only requests whose token has all of the scopes get through. */
  requireBearer(guarded: Guarded, handler: (request: Request, identity: Identity) => Response | Promise<Response>): (request: Request) => Promise<Response>;
}

/** @internal */
export function webSeat(auth: Lockstep): WebSeat {
  const { native } = auth;
  const paths = new Paths(native.paths(), (path) => native.owns(path));

  const seat: WebSeat = {
    owns: (request) => paths.has(target(request).path),

    async fetch(request, around = {}) {
      const { path, query } = target(request);
      if (!paths.has(path)) return respond(NOT_FOUND, false);
      const { method } = request;
      let body: Uint8Array | undefined;
      if (method !== "GET" && method !== "HEAD" && method !== "OPTIONS") {
        body = await readBody(request);
        if (body === undefined) return respond(TOO_LARGE, false);
      }
      const headers = [...request.headers].flat();
      const lines = [method, path, query, around.peer ?? "", ...headers].join("\n");
      const exchange = native.handle(lines, headers.length, body ?? null, now(), seed());
      const nobody = await auth.answer(exchange, around.request ?? request);
      return respond(nobody ? NOBODY_SIGNED_IN : answerOf(exchange, method === "HEAD"), method === "HEAD");
    },

    async authenticate(request, guarded = {}, around = {}) {
      const credential = request.headers.get("authorization");
      const gate = auth.gate(guarded, "authenticate");
      const exchange = gate.check(credential ?? "", credential === null ? 0 : 1, target(request).query, around.peer ?? "", now(), seed());
      const step = await auth.finish(exchange, around.request ?? request);
      if (step === ALLOWED) return { identity: identityOf(exchange) };
      return { response: respond(answerOf(exchange, request.method === "HEAD"), request.method === "HEAD") };
    },

    requireBearer(guarded, handler) {
      auth.gate(guarded, "requireBearer"); // what is wrong is said now
      return async (request) => {
        const checked = await seat.authenticate(request, guarded);
        if ("response" in checked) return checked.response;
        const { identity } = checked;
        return call.run({ identity }, () => handler(request, identity));
      };
    },
  };
  return seat;
}

/** The path and the query as the URL spells them. */
function target(request: Request): { path: string; query: string } {
  const [, path = "/", query = ""] = /^[^:]+:\/\/[^/?#]*([^?#]*)(?:\?([^#]*))?/.exec(request.url) ?? [];
  return { path: path || "/", query };
}

async function readBody(request: Request): Promise<Uint8Array | undefined> {
  if (request.bodyUsed) throw new MisuseError("body", "something has read the body before; let auth.web.fetch have the request first");
  if (request.body === null) return new Uint8Array();
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = request.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    length += read.value.length;
    if (length > BODY_BYTES) {
      await reader.cancel();
      return undefined;
    }
    parts.push(read.value);
  }
  return Buffer.concat(parts);
}

/** An answer as a `Response`. Its length is the server's to say. */
export function respond({ status, headers, body }: Answer, head: boolean): Response {
  const all = new Headers();
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at] as string;
    if (name !== "Content-Length" || !head) all.append(name, headers[at + 1] as string);
  }
  return new Response(head || status === 204 ? null : (body as BodyInit), { status, headers: all });
}
