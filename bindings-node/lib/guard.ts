/** The guards of routes: bearer tokens, challenges for what handlers throw, and for MCP routes CORS and scopes by tool. */

import type { ServerResponse } from "node:http";
import { shown } from "./configuration";
import type { Call } from "./context";
import { ALLOWED } from "./drive";
import { now, seed } from "./environment";
import { ConfigurationError } from "./errors";
import { hold } from "./held";
import { type Guarded, identityOf, type Lockstep } from "./lockstep";
import { type AuthInfo, authInfo } from "./mcp";
import { type Answer, answer, answerIn, answerOf } from "./messages";
import type { Exchange, Gate } from "./native";
import { credentials, type NodeRequest, peer, target } from "./node";
import { couldBeRpc, neededScopes } from "./rpc";
import type { Identity } from "./types";

/** How an MCP route is guarded. */
export interface ProtectOptions extends Guarded {
  /** Browsers on these origins may call the route (CORS, never with cookies). Default `["*"]`; null leaves CORS to the app. */
  origins?: readonly string[] | null;
}

/** The largest JSON-RPC message that is read to see which tool it calls, in bytes; the official SDK's own limit. */
const RPC_BYTES = 4 * 1024 * 1024;

/** What a framework lets a guard do with one request. */
export interface Passage {
  /** What a parser has made of the body, where one has. */
  body?: unknown;
  /** What the host's functions are called with. */
  request: unknown;
  /** Lets the request through, with the call that its handler serves. */
  pass(identity: Identity, auth: AuthInfo, call: Call): void;
  /** Answers it instead. */
  refuse(answer: Answer): void;
  /** Something of the host has failed. */
  fail(error: unknown): void;
}

/** @internal One route's guard over `node:http` messages. Without `origins` it leaves CORS, tools and streams alone. */
export function guard(auth: Lockstep, options: ProtectOptions, where: "requireBearer" | "protect") {
  const gate = auth.gate(options, where);
  const cors = new Cors(where === "requireBearer" ? null : options.origins === undefined ? ["*"] : options.origins);
  const tools = where === "protect";

  return (request: NodeRequest, response: ServerResponse, passage: Passage): void => {
    const permitted = cors.permitted(request.headers.origin);
    if (permitted !== undefined) {
      if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
        return passage.refuse(cors.preflight(permitted, request.headers["access-control-request-headers"]));
      }
      for (const [name, value] of cors.headers(permitted)) response.setHeader(name, value);
    }
    const found = credentials(request.rawHeaders);
    const check = (gate: Gate, allowed: (exchange: Exchange) => void): void => {
      const exchange = gate.check(found.join("\n"), found.length, target(request).query, peer(request), now(), seed());
      const settle = (step: number): void => {
        if (step === ALLOWED) allowed(exchange);
        else passage.refuse(cors.merged(answerOf(exchange, request.method === "HEAD"), permitted));
      };
      const step = auth.finish(exchange, passage.request);
      if (typeof step === "number") settle(step);
      else step.then(settle).catch(passage.fail);
    };
    const pass = (exchange: Exchange): void => {
      const identity = identityOf(exchange);
      const current: Call = { identity };
      hold(response, current, {
        challenge: (missing) => cors.merged(answerIn(auth.challenge(options, missing)), permitted),
        immediate: !tools || request.method === "GET",
      });
      passage.pass(identity, authInfo(identity), current);
    };
    try {
      check(gate, (exchange) => {
        if (!tools || auth.toolScopes.size === 0 || request.method !== "POST") return pass(exchange);
        neededByTools(auth, request, passage).then((needed) => {
          if (needed === undefined) return;
          if (needed.length === 0) return pass(exchange);
          check(auth.gate({ ...options, scopes: [...new Set([...(options.scopes ?? []), ...needed])] }, where), pass);
        }).catch(passage.fail);
      });
    } catch (error) {
      passage.fail(error);
    }
  };
}

/** Reads which tool is called, so that the token can be checked against what it needs. Undefined: answered already. */
async function neededByTools(auth: Lockstep, request: NodeRequest, passage: Passage): Promise<string[] | undefined> {
  const body = passage.body ?? request.rawBody ?? (await peek(request));
  if (body === TOO_LONG) {
    passage.refuse(rpcError(413, -32600, "The message is too large."));
    return undefined;
  }
  if (body === undefined) return [];
  try {
    return neededScopes(body as Buffer | string | object, auth.toolScopes);
  } catch {
    // INVARIANT: what cannot be read for certain is not passed on, or the tool's scopes could be gone around.
    passage.refuse(rpcError(400, -32700, "Parse error"));
    return undefined;
  }
}

const TOO_LONG = Symbol("longer than any message");

/** Reads the body and puts it back, so that the app reads it as if nobody had. Undefined: it is no JSON-RPC. */
function peek(request: NodeRequest): Promise<Buffer | undefined | typeof TOO_LONG> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let length = 0;
    const settle = (read: Buffer | undefined | typeof TOO_LONG): void => {
      request.off("readable", readable).off("end", ended).off("error", reject);
      resolve(read);
    };
    const back = (): Buffer => {
      const body = Buffer.concat(parts);
      // Before the stream's end has been told, which is a tick later, what was read can be put back.
      if (body.length > 0) request.unshift(body);
      return body;
    };
    const readable = (): void => {
      for (let part = request.read() as Buffer | null; part !== null; part = request.read() as Buffer | null) {
        parts.push(part);
        length += part.length;
      }
      if (length > RPC_BYTES) return settle(TOO_LONG);
      if (length >= 4 && !couldBeRpc(Buffer.concat(parts).subarray(0, 64))) {
        back();
        return settle(undefined);
      }
      if (request.complete) settle(back());
    };
    const ended = (): void => settle(Buffer.concat(parts));
    request.on("readable", readable).on("end", ended).on("error", reject);
  });
}

function rpcError(status: number, code: number, message: string): Answer {
  const body = JSON.stringify({ jsonrpc: "2.0", id: null, error: { code, message } });
  return answer(status, ["Content-Type", "application/json", "Cache-Control", "no-store"], body);
}

const ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS";
const ALLOWED_HEADERS = "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID, Mcp-Method, Mcp-Name";
const EXPOSED_HEADERS = "WWW-Authenticate, Mcp-Session-Id";

/** Which origins may call a route, and how they are told. */
export class Cors {
  readonly #origins: ReadonlySet<string>;

  constructor(origins: readonly string[] | null) {
    if (origins !== null && !Array.isArray(origins)) throw new ConfigurationError("protect({ origins })", `a list of origins or null, not ${shown(origins)}`);
    this.#origins = new Set(origins ?? []);
  }

  /** The origin that may read the answer, as it is told to the browser. */
  permitted(origin: string | undefined): string | undefined {
    if (origin === undefined) return undefined;
    if (this.#origins.has("*")) return "*";
    return this.#origins.has(origin) ? origin : undefined;
  }

  headers(permitted: string): [string, string][] {
    const pairs: [string, string][] = [
      ["Access-Control-Allow-Origin", permitted],
      ["Access-Control-Expose-Headers", EXPOSED_HEADERS],
    ];
    return permitted === "*" ? pairs : [...pairs, ["Vary", "Origin"]];
  }

  /** The core's answer, with this route's CORS headers instead of its own. */
  merged(answer: Answer, permitted: string | undefined): Answer {
    if (permitted === undefined) return answer;
    const ours = this.headers(permitted);
    const names = new Set(ours.map(([name]) => name.toLowerCase()));
    const kept = answer.headers.filter((_, at) => !names.has((answer.headers[at - (at % 2)] as string).toLowerCase()));
    return { ...answer, headers: [...kept, ...ours.flat()] };
  }

  /**
   * Answers a preflight. It carries no token, by design of CORS, so it is answered without one. Parameters of a tool may
   * travel as `Mcp-Param-*` headers whose names only the tools know: those asked for are allowed.
   */
  preflight(permitted: string, asked = ""): Answer {
    const extra = asked.split(",").flatMap((name) => /^[ \t]*(mcp-param-[a-z0-9_-]+)[ \t]*$/i.exec(name)?.[1] ?? []);
    const headers = [
      ...this.headers(permitted),
      ["Access-Control-Allow-Methods", ALLOWED_METHODS],
      ["Access-Control-Allow-Headers", [ALLOWED_HEADERS, ...extra].join(", ")],
      ["Access-Control-Max-Age", "600"],
    ];
    return { status: 204, headers: headers.flat(), body: "" };
  }
}
