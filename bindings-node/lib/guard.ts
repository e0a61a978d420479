/** The guards of routes over `node:http`: bearer tokens, challenges for what handlers throw, and for MCP routes CORS and scopes by tool. */

import type { ServerResponse } from "node:http";
import type { Call } from "./context";
import { Cors, type ProtectOptions } from "./cors";
import type { Checked, Gate } from "./gate";
import { hold } from "./held";
import type { Guarded, Lockstep } from "./lockstep";
import { type AuthInfo, authInfo } from "./mcp";
import { type Answer, answerIn, answerOf, rpcError } from "./messages";
import { credentials, type NodeRequest, peer, target } from "./node";
import { GONE, peek, TOO_LONG } from "./peek";
import { neededScopes } from "./rpc";
import type { Identity } from "./types";
import { otherWays } from "./ways";

/** What a framework lets a guard do with one request. */
export interface Passage {
  /** What a parser has made of the body, where one has. */
  body: unknown;
  /** What the host's functions are called with. */
  request: unknown;
  /** Lets the request through, with the call that its handler serves. */
  pass(identity: Identity, auth: AuthInfo, call: Call): void;
  /** Answers it instead. */
  refuse(answer: Answer): void;
  /** Something of the host has failed. */
  fail(error: unknown): void;
}

/** One route's guard. `requireBearer` leaves CORS, tools and streams alone. */
export function guard(auth: Lockstep, options: Guarded & ProtectOptions, where: "requireBearer" | "protect") {
  const gate = auth.gate(options, where);
  const protects = where === "protect";
  const cors = new Cors(protects ? options.origins : null);
  const other = protects ? undefined : otherWays(auth, options, where);

  return (request: NodeRequest, response: ServerResponse, passage: Passage): void => {
    const permitted = cors.permitted(request.headers.origin);
    if (permitted !== undefined) {
      if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
        return passage.refuse(cors.preflight(permitted, request.headers["access-control-request-headers"]));
      }
      for (const [name, value] of cors.headers(permitted)) response.setHeader(name, name === "Vary" ? varying(response, value) : value);
    }
    const found = credentials(request.rawHeaders);
    const check = (gate: Gate, allowed: (identity: Identity) => void): void => {
      const settle = (checked: Checked): void => {
        if ("identity" in checked) allowed(checked.identity);
        else passage.refuse(cors.merged(answerOf(checked.refused, request.method === "HEAD"), permitted));
      };
      const checked = gate.check(found, target(request).query, peer(request), passage.request);
      if (checked instanceof Promise) checked.then(settle).catch(passage.fail);
      else settle(checked);
    };
    const pass = (identity: Identity): void => {
      const current: Call = { identity };
      const holding = (immediate: boolean): void =>
        hold(response, current, { challenge: (missing) => cors.merged(answerIn(auth.challenge(options, missing)), permitted), immediate });
      // Where only an error's status can become a challenge, nothing is held until a scope is found missing.
      if (protects && request.method !== "GET") holding(false);
      else current.onMissing = () => response.headersSent || holding(true);
      passage.pass(identity, authInfo(identity), current);
    };
    const checkTools = async (identity: Identity): Promise<void> => {
      const body = await peek(request, passage.body);
      if (body === GONE) return;
      if (body === TOO_LONG) return passage.refuse(cors.merged(rpcError(413, -32600, "The message is too large."), permitted));
      let needed: string[];
      try {
        needed = body === undefined ? [] : neededScopes(body, auth.toolScopes);
      } catch {
        // INVARIANT: what cannot be read for certain is not passed on, or the tool's scopes could be gone around.
        return passage.refuse(cors.merged(rpcError(400, -32700, "Parse error"), permitted));
      }
      if (needed.length === 0) pass(identity);
      else check(auth.gate({ ...options, scopes: [...new Set([...(options.scopes ?? []), ...needed])] }, where), pass);
    };
    const byToken = (): void =>
      check(gate, (identity) => {
        if (protects && auth.toolScopes.size > 0 && request.method === "POST") checkTools(identity).catch(passage.fail);
        else pass(identity);
      });
    try {
      // A token that does not fit is refused: nothing else may make up for it.
      if (other === undefined || found.length > 0) return byToken();
      other(passage.request).then((entered) => {
        if (entered === undefined) byToken();
        else if ("identity" in entered) pass(entered.identity);
        else passage.refuse(cors.merged(entered.refused, permitted));
      }).catch(passage.fail);
    } catch (error) {
      passage.fail(error);
    }
  };
}

function varying(response: ServerResponse, name: string): string {
  const before = response.getHeader("vary");
  return before === undefined ? name : `${before}, ${name}`;
}
