/** Express, Connect and plain `node:http`: one middleware for the endpoints, and guards for routes. */

import type { IncomingMessage, ServerResponse } from "node:http";
import { call } from "./context";
import { shown } from "./configuration";
import type { ProtectOptions } from "./cors";
import { now, seed } from "./environment";
import { ConfigurationError, InsufficientScope, MisuseError } from "./errors";
import { guard } from "./guard";
import type { Guarded, Lockstep } from "./lockstep";
import type { AuthInfo } from "./mcp";
import { answerOf, NOBODY_SIGNED_IN, NOT_FOUND, Paths, TOO_LARGE } from "./messages";
import { ClientGone, type NodeRequest, peer, readBody, send, target } from "./node";
import { report, warn } from "./report";
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

type Next = (error?: unknown) => unknown;
/** Middleware of Express and Connect. */
export type Middleware = (request: IncomingMessage, response: ServerResponse, next: Next) => void;

/** A listener of `node:http`. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** The seat in Express: call it for the endpoints. */
export interface ExpressSeat {
  /** All endpoints and well-known documents; requests for other paths go on. Put it in front of body parsers. */
  (): Middleware;
  /** Lets requests through whose token has all of the scopes: `request.identity` says who is calling. */
  requireBearer(options?: Guarded): Middleware;
  /** The guard of an MCP route: as `requireBearer`, with CORS, scopes by tool, and challenges for what tools throw. */
  protect(options?: ProtectOptions): Middleware;
  /** A listener for `http.createServer`. Requests for other paths go to `next`, or are answered 404. */
  listener(next?: Listener): Listener;
}

/** @internal */
export function expressSeat(auth: Lockstep): ExpressSeat {
  const seat = (...given: unknown[]): Middleware => {
    if (given.length > 0) throw new MisuseError("express", "it makes the middleware, and is none itself; write app.use(auth.express())");
    return endpoints(auth);
  };
  return Object.assign(seat, {
    requireBearer: (options: Guarded = {}) => guarded(auth, options, "requireBearer"),
    protect: (options: ProtectOptions = {}) => guarded(auth, options, "protect"),
    listener: (next?: Listener): Listener => {
      if (next !== undefined && typeof next !== "function") throw new ConfigurationError("listener", `a function of request and response, not ${shown(next)}`);
      const middleware = endpoints(auth);
      return (request, response) =>
        middleware(request, response, (error) => {
          if (error !== undefined) {
            report("a request for an endpoint could not be answered", error);
            response.writeHead(500).end();
          } else if (next !== undefined) next(request, response);
          else send(response, NOT_FOUND);
        });
    },
  });
}

function endpoints(auth: Lockstep): Middleware {
  const { native } = auth;
  const paths = new Paths(native.paths(), (path) => native.owns(path));
  let warned = false;
  return (request: NodeRequest & { baseUrl?: string }, response, next) => {
    if (request.baseUrl && !warned) {
      warned = true;
      sayWhatIsNeeded(auth, paths.plain, request.baseUrl);
    }
    const { path, query } = target(request);
    if (!paths.has(path)) return void next();
    const method = request.method ?? "GET";
    if (method === "GET" || method === "HEAD" || method === "OPTIONS") return answer(auth, request, response, next, path, query, null);
    readBody(request).then(
      (body) => (body === undefined ? refuseLarge(response) : answer(auth, request, response, next, path, query, body)),
      (error) => (error instanceof ClientGone ? undefined : next(error)),
    );
  };
}

/** Says once that this middleware sees one part of the origin only, and what the rest of it must pass on. */
function sayWhatIsNeeded(auth: Lockstep, paths: ReadonlySet<string>, base: string): void {
  const inside = (path: string): boolean => path === base || path.startsWith(`${base}/`);
  const outside = [...paths].filter((path) => !inside(path)).sort();
  if (outside.length === paths.size) {
    warn(`auth.express() answers below ${base} only, and no endpoint of the issuer ${auth.issuer} is there: set issuer to end in ${base}, or use it at the origin`);
  } else if (outside.length > 0) {
    warn(`auth.express() answers below ${base} only: clients also ask the origin for ${outside.join(", ")}. Use it on the outer app`);
  }
}

function answer(auth: Lockstep, request: NodeRequest, response: ServerResponse, next: Next, path: string, query: string, body: Buffer | null): void {
  const { rawHeaders, method } = request;
  const head = method === "HEAD";
  try {
    const lines = `${method}\n${path}\n${query}\n${peer(request)}${rawHeaders.length === 0 ? "" : `\n${rawHeaders.join("\n")}`}`;
    const exchange = auth.native.handle(lines, rawHeaders.length, body, now(), seed());
    const nobody = auth.answer(exchange, request);
    const reply = (nobody: boolean): void => send(response, nobody ? NOBODY_SIGNED_IN : answerOf(exchange, head));
    if (typeof nobody === "boolean") reply(nobody);
    else nobody.then(reply).catch(next);
  } catch (error) {
    next(error);
  }
}

/** Refuses a body of which more is still to come. It is not read: the connection ends with the answer. */
export function refuseLarge(response: ServerResponse): void {
  response.setHeader("Connection", "close");
  send(response, TOO_LARGE);
}

function guarded(auth: Lockstep, options: ProtectOptions, where: "requireBearer" | "protect"): Middleware {
  const route = guard(auth, options, where);
  return (request: NodeRequest & Authenticated, response, next) => {
    if (typeof next !== "function") throw new MisuseError(where, "it makes middleware; write app.use(path, guard), or guard(request, response, next)");
    route(request, response, {
      body: request.body,
      request,
      pass(identity, info, current) {
        request.identity = identity;
        request.auth = info;
        // In Express nothing comes back from `next`. A handler of plain `node:http` that stands here itself throws, or rejects.
        const thrown = (error: unknown): void => {
          if (!(error instanceof InsufficientScope) || response.headersSent) throw error;
          current.missing ??= error.scopes;
          response.statusCode = 403;
          response.end();
        };
        try {
          const running = call.run(current, next);
          if (running instanceof Promise) running.catch(thrown);
        } catch (error) {
          Promise.reject(error).catch(thrown); // what is no missing scope is nobody's, as without a guard
        }
      },
      refuse: (answer) => send(response, answer),
      fail: next,
    });
  };
}
