/** Express, Connect and plain `node:http`: one middleware for the endpoints, and guards for routes. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { call } from "./context";
import { shown } from "./configuration";
import { now, seed } from "./environment";
import { ConfigurationError } from "./errors";
import { guard, type ProtectOptions } from "./guard";
import type { Guarded, Lockstep } from "./lockstep";
import type { AuthInfo } from "./mcp";
import { answerOf, NOBODY_SIGNED_IN, NOT_FOUND, Paths, TOO_LARGE } from "./messages";
import { ClientGone, type NodeRequest, peer, readBody, send, target } from "./node";
import type { Identity } from "./types";

declare global {
  namespace Express {
    interface Request {
      /** Who is calling, behind `auth.require(…)`. */
      identity?: Identity;
    }
  }
}

/** What a guard adds to a request. */
export interface Authenticated {
  /** Who is calling. */
  identity?: Identity;
  /** The same in the words of the official MCP SDK, whose transports read it. */
  auth?: AuthInfo;
}

type Next = (error?: unknown) => void;
/** Middleware of Express and Connect. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** The seat in Express: call it for the endpoints. */
export interface ExpressSeat {
  /** All endpoints and well-known documents; requests for other paths go on. Put it in front of body parsers. */
  (): Middleware;
  /** Lets requests through whose token has all of the scopes: `request.identity` says who is calling. */
  requireBearer(options?: Guarded): Middleware;
  /** The guard of an MCP route: as `requireBearer`, with CORS, scopes by tool, and challenges for what tools throw. */
  protect(options?: ProtectOptions): Middleware;
  /** A listener for `http.createServer`. Requests for other paths go to `next`, or are answered 404. */
  listener(next?: (request: IncomingMessage, response: ServerResponse) => void): (request: IncomingMessage, response: ServerResponse) => void;
}

/** @internal */
export function expressSeat(auth: Lockstep): ExpressSeat {
  const seat = () => endpoints(auth);
  return Object.assign(seat, {
    requireBearer: (options: Guarded = {}) => guarded(auth, options, "requireBearer"),
    protect: (options: ProtectOptions = {}) => guarded(auth, options, "protect"),
    listener: (next?: (request: IncomingMessage, response: ServerResponse) => void) => {
      if (next !== undefined && typeof next !== "function") throw new ConfigurationError("listener", `a function of request and response, not ${shown(next)}`);
      const middleware = endpoints(auth);
      return (request: IncomingMessage, response: ServerResponse) =>
        middleware(request, response, (error) => {
          if (error !== undefined) response.writeHead(500).end();
          else if (next !== undefined) next(request, response);
          else send(response, NOT_FOUND);
        });
    },
  });
}

function endpoints(auth: Lockstep): Middleware {
  const { native } = auth;
  const paths = new Paths(native.paths(), (path) => native.owns(path));
  return (request: NodeRequest, response, next) => {
    const { path, query } = target(request);
    if (!paths.has(path)) return next();
    const method = request.method ?? "GET";
    if (method === "GET" || method === "HEAD" || method === "OPTIONS") return answer(auth, request, response, next, path, query, null);
    let reading: Promise<Buffer | undefined>;
    try {
      reading = readBody(request);
    } catch (misuse) {
      return next(misuse);
    }
    reading.then(
      (body) => (body === undefined ? refuseLarge(response) : answer(auth, request, response, next, path, query, body)),
      (error) => (error instanceof ClientGone ? undefined : next(error)),
    );
  };
}

function answer(auth: Lockstep, request: NodeRequest, response: ServerResponse, next: Next, path: string, query: string, body: Buffer | null): void {
  const { rawHeaders, method } = request;
  try {
    const lines = `${method}\n${path}\n${query}\n${peer(request)}${rawHeaders.length === 0 ? "" : `\n${rawHeaders.join("\n")}`}`;
    const exchange = auth.native.handle(lines, rawHeaders.length, body, now(), seed());
    const nobody = auth.answer(exchange, request);
    const reply = (nobody: boolean) => send(response, nobody ? NOBODY_SIGNED_IN : answerOf(exchange, method === "HEAD"));
    if (typeof nobody === "boolean") reply(nobody);
    else nobody.then(reply).catch(next);
  } catch (error) {
    next(error);
  }
}

function refuseLarge(response: ServerResponse): void {
  // What is still to come is not read: the connection ends with the answer.
  response.setHeader("Connection", "close");
  send(response, TOO_LARGE);
}

function guarded(auth: Lockstep, options: ProtectOptions, where: "requireBearer" | "protect"): Middleware {
  const route = guard(auth, options, where);
  return (request: NodeRequest & Authenticated, response, next) =>
    route(request, response, {
      body: request.body,
      request,
      pass(identity, auth, current) {
        request.identity = identity;
        request.auth = auth;
        call.run(current, next);
      },
      refuse: (answer) => send(response, answer),
      fail: next,
    });
}
