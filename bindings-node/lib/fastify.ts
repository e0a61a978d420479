/** Fastify: a plugin for the endpoints, and guards as hooks of routes, over the messages of `node:http`. */

import type {} from "fastify"; // drops out of what is compiled, declarations too
import type { IncomingMessage, ServerResponse } from "node:http";
import { call } from "./context";
import type { ProtectOptions } from "./cors";
import { now, seed } from "./environment";
import { ConfigurationError, MisuseError } from "./errors";
import { refuseLarge } from "./express";
import { guard } from "./guard";
import type { Guarded, Lockstep } from "./lockstep";
import type { AuthInfo } from "./mcp";
import { type Answer, answerOf, NOBODY_SIGNED_IN, Paths } from "./messages";
import { ClientGone, type NodeRequest, peer, readBody, send, target } from "./node";
import type { Identity } from "./types";

// Where Fastify is not installed, this says nothing.
declare module "fastify" {
  interface FastifyRequest {
    /** Who is calling, behind `auth.fastify.requireBearer(…)` and `auth.fastify.protect(…)`. */
    identity?: Identity;
  }
}

/** What is used of Fastify's request. */
interface Asked {
  readonly raw: IncomingMessage & { auth?: AuthInfo };
  readonly body?: unknown;
  identity?: Identity;
}

/** What is used of Fastify's reply. */
interface Reply {
  readonly raw: ServerResponse;
  hijack(): unknown;
  getHeaders(): { [name: string]: number | string | string[] | undefined };
}

/** What is used of a Fastify instance. */
interface Instance {
  addHook(name: "onRequest", hook: FastifyHook): unknown;
  addHook(name: "onReady", hook: () => Promise<void>): unknown;
  hasRequestDecorator(name: string): boolean;
  decorateRequest(name: string): unknown;
  hasRoute(route: { method: string; url: string }): boolean;
}

/** A hook of Fastify, for `onRequest` or `preHandler`. */
export type FastifyHook = (request: any, reply: any, done: (error?: Error) => void) => void;
/** A plugin of Fastify. */
export type FastifyPlugin = (instance: any, options: object, done: (error?: Error) => void) => void;

/** The seat in Fastify: call it for the endpoints. */
export interface FastifySeat {
  /**
   * All endpoints and well-known documents, in front of every body parser. Register it on the app itself, after the plugins
   * that `signIn` needs, such as cookies and sessions.
   */
  (): FastifyPlugin;
  /** Lets requests through whose token has all of the scopes: `request.identity` says who is calling. */
  requireBearer(options?: Guarded): FastifyHook;
  /** The guard of an MCP route: as `requireBearer`, with CORS, scopes by tool, and challenges for what tools throw. */
  protect(options?: ProtectOptions): FastifyHook;
}

/** @internal */
export function fastifySeat(auth: Lockstep): FastifySeat {
  const installed = new WeakSet<object>();
  const seat = (...given: unknown[]): FastifyPlugin => {
    const done = given[2];
    if (typeof done === "function") return done(new MisuseError("fastify", "it makes the plugin, and is none itself; write app.register(auth.fastify())"));
    const plugin = (instance: Instance, _options: object, done: (error?: Error) => void): void => {
      try {
        install(auth, instance, installed);
      } catch (error) {
        return done(error as Error);
      }
      done();
    };
    return Object.assign(plugin, {
      // The hook is for the whole app, not for the plugin's own corner of it.
      [Symbol.for("skip-override")]: true,
      [Symbol.for("fastify.display-name")]: "lockstep-oauth",
      [Symbol.for("plugin-meta")]: { name: "lockstep-oauth", fastify: "5.x" },
    });
  };
  return Object.assign(seat, {
    requireBearer: (options: Guarded = {}) => guarded(auth, options, "requireBearer"),
    protect: (options: ProtectOptions = {}) => guarded(auth, options, "protect"),
  });
}

function install(auth: Lockstep, instance: Instance, installed: WeakSet<object>): void {
  if (installed.has(instance)) throw new ConfigurationError("fastify", "it is registered in this app already; register once");
  if (Object.getPrototypeOf(instance) !== Object.prototype) {
    throw new ConfigurationError("fastify", "it answers at the origin; register it on the app itself, not inside of another plugin");
  }
  installed.add(instance);
  if (!instance.hasRequestDecorator("identity")) instance.decorateRequest("identity");
  const paths = new Paths(auth.native.paths(), (path) => auth.native.owns(path));
  instance.addHook("onRequest", (request: Asked, reply: Reply, done) => {
    const { path, query } = target(request.raw);
    if (!paths.has(path)) return done();
    reply.hijack();
    answer(auth, request, reply, path, query, done);
  });
  instance.addHook("onReady", async () => {
    for (const path of paths.plain) {
      if (path.startsWith("/.well-known/")) continue;
      if (["GET", "POST"].some((method) => instance.hasRoute({ method, url: path }))) {
        throw new ConfigurationError("issuer", `your app has a route ${path} of its own, where an endpoint is; give the issuer a path: ${auth.issuer.replace(/\/$/, "")}/oauth`);
      }
    }
  });
}

function answer(auth: Lockstep, request: Asked, reply: Reply, path: string, query: string, done: (error?: Error) => void): void {
  const raw: NodeRequest = request.raw;
  const { rawHeaders, method = "GET" } = raw;
  const head = method === "HEAD";
  const handle = async (): Promise<void> => {
    const body = head || method === "GET" || method === "OPTIONS" ? null : await readBody(raw);
    const response = carried(reply);
    if (body === undefined) return refuseLarge(response);
    const lines = [method, path, query, peer(raw), ...rawHeaders].join("\n");
    const exchange = auth.native.handle(lines, rawHeaders.length, body, now(), seed());
    const nobody = await auth.answer(exchange, request);
    send(response, nobody ? NOBODY_SIGNED_IN : answerOf(exchange, head));
  };
  handle().catch((error) => {
    if (!(error instanceof ClientGone)) done(error as Error);
  });
}

/** The response, with the headers that plugins before us have given it. */
function carried(reply: Reply): ServerResponse {
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) reply.raw.setHeader(name, value);
  return reply.raw;
}

function guarded(auth: Lockstep, options: ProtectOptions, where: "requireBearer" | "protect"): FastifyHook {
  const route = guard(auth, options, where);
  return (request: Asked, reply: Reply, done) => {
    if (typeof done !== "function") throw new MisuseError(where, "it makes a hook; write { onRequest: guard } at the route");
    route(request.raw, reply.raw, {
      body: request.body,
      request,
      pass(identity, info, current) {
        request.identity = identity;
        request.raw.auth = info;
        call.run(current, done);
      },
      refuse(answer: Answer) {
        reply.hijack();
        send(carried(reply), answer);
      },
      fail: (error) => done(error as Error),
    });
  };
}
