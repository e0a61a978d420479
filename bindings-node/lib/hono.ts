/** Hono: middleware for the endpoints, and guards for routes, over web-standard messages. */

import type {} from "hono"; // drops out of what is compiled, declarations too
import type { ProtectOptions } from "./cors";
import { MisuseError } from "./errors";
import type { Guarded, Lockstep } from "./lockstep";
import type { AuthInfo } from "./mcp";
import { plainAddress } from "./node";
import type { Identity } from "./types";
import type { Around } from "./web";
import { webGuard } from "./web_guard";

// Where Hono is not installed, this says nothing.
declare module "hono" {
  interface ContextVariableMap {
    /** Who is calling, behind `auth.hono.requireBearer(…)` and `auth.hono.protect(…)`. */
    identity: Identity;
    /** The same in the words of the official MCP SDK: `transport.handleRequest(c.req.raw, { authInfo: c.get("auth") })`. */
    auth: AuthInfo;
  }
}

/** What is used of Hono's `Context`. */
export interface HonoContext {
  readonly req: { readonly raw: Request; arrayBuffer(): Promise<ArrayBuffer> };
  /** On `@hono/node-server`: the messages of `node:http`. */
  readonly env: unknown;
  readonly error: Error | undefined;
  res: Response;
}

/** Middleware of Hono. */
export type HonoMiddleware = (context: any, next: () => Promise<void>) => Promise<Response | undefined>;

/** The seat in Hono: call it for the endpoints. */
export interface HonoSeat {
  /** All endpoints and well-known documents; requests for other paths go on. Put it in front of what reads bodies. */
  (): HonoMiddleware;
  /** Lets requests through whose token has all of the scopes: `c.get("identity")` says who is calling. */
  requireBearer(options?: Guarded): HonoMiddleware;
  /** The guard of an MCP route: as `requireBearer`, with CORS, scopes by tool, and challenges for what tools throw. */
  protect(options?: ProtectOptions): HonoMiddleware;
}

/** @internal */
export function honoSeat(auth: Lockstep): HonoSeat {
  const { owns, fetch } = auth.web;

  const seat = (...given: unknown[]): HonoMiddleware => {
    if (given.length > 0) throw new MisuseError("hono", "it makes the middleware, and is none itself; write app.use(auth.hono())");
    return async (context: HonoContext, next) => {
      const { raw } = context.req;
      if (owns(raw)) return fetch(raw, around(context));
      await next();
      return undefined;
    };
  };

  const guarded = (options: ProtectOptions, where: "requireBearer" | "protect"): HonoMiddleware => {
    const route = webGuard(auth, options, where);
    return async (context: HonoContext & { set(name: string, value: unknown): void }, next) => {
      if (typeof next !== "function") throw new MisuseError(where, "it makes middleware; write app.use(path, guard)");
      let ran = false;
      const passage = { ...around(context), remembered: async () => new Uint8Array(await context.req.arrayBuffer()) };
      const response = await route(context.req.raw, passage, async (identity, info) => {
        ran = true;
        context.set("identity", identity);
        context.set("auth", info);
        await next(); // what a handler throws has become the app's own answer by now
        return context.res;
      });
      if (!ran) return response;
      if (response !== context.res) {
        // Set twice: Hono would mix the headers of the answer before into this one.
        context.res = undefined as unknown as Response;
        context.res = response;
      }
      return undefined;
    };
  };

  return Object.assign(seat, {
    requireBearer: (options: Guarded = {}) => guarded(options, "requireBearer"),
    protect: (options: ProtectOptions = {}) => guarded(options, "protect"),
  });
}

function around(context: HonoContext): Around {
  const env = context.env as { incoming?: { socket?: { remoteAddress?: string } } } | null | undefined;
  return { peer: plainAddress(env?.incoming?.socket?.remoteAddress), request: context };
}
