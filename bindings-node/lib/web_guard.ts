/** The guards of web-standard handlers: bearer tokens, challenges for what handlers throw, and for MCP routes CORS and scopes by tool. */

import { type Call, call } from "./context";
import { Cors, type ProtectOptions } from "./cors";
import { InsufficientScope, MisuseError } from "./errors";
import type { Gate } from "./gate";
import type { Guarded, Lockstep } from "./lockstep";
import { type AuthInfo, authInfo } from "./mcp";
import { type Answer, answerIn, answerOf, rpcError } from "./messages";
import { ENCODING_BYTES, RPC_BYTES } from "./peek";
import { couldBeRpc, neededScopes } from "./rpc";
import type { Identity } from "./types";
import { otherWays } from "./ways";
import { held } from "./web_held";
import { respond, target } from "./web_messages";

/** What a framework knows of a request beside it. */
export interface WebPassage {
  peer?: string | undefined;
  /** What the host's functions are called with; the `Request` when left out. */
  request?: unknown;
  /** The body, where it has been read and kept. */
  remembered?(): Promise<Uint8Array>;
}

/** One route's guard: runs the handler, or answers instead. `requireBearer` leaves CORS, tools and streams alone. */
export function webGuard(auth: Lockstep, options: Guarded & ProtectOptions, where: "requireBearer" | "protect") {
  const gate = auth.gate(options, where);
  const protects = where === "protect";
  const cors = new Cors(protects ? options.origins : null);
  const other = protects ? undefined : otherWays(auth, options, where);

  return async (request: Request, passage: WebPassage, handler: (identity: Identity, authInfo: AuthInfo) => Response | Promise<Response>): Promise<Response> => {
    const { method, headers } = request;
    const permitted = cors.permitted(headers.get("origin"));
    if (permitted !== undefined && method === "OPTIONS" && headers.has("access-control-request-method")) {
      return respond(cors.preflight(permitted, headers.get("access-control-request-headers")), false);
    }
    const refusal = (answer: Answer): Response => respond(cors.merged(answer, permitted), method === "HEAD");
    const credential = headers.get("authorization");
    const checked = async (gate: Gate): Promise<{ identity: Identity } | { response: Response }> => {
      const found = await gate.check(credential === null ? [] : [credential], target(request).query, passage.peer ?? "", passage.request ?? request);
      return "identity" in found ? found : { response: refusal(answerOf(found.refused, method === "HEAD")) };
    };

    // A token that does not fit is refused: nothing else may make up for it.
    const entered = credential === null ? await other?.(passage.request ?? request) : undefined;
    if (entered !== undefined && "refused" in entered) return refusal(entered.refused);
    let allowed = entered ?? (await checked(gate));
    if ("response" in allowed) return allowed.response;
    if (protects && auth.toolScopes.size > 0 && method === "POST") {
      let needed: string[];
      const body = await peek(request, passage);
      if (body === TOO_LONG) return refusal(rpcError(413, -32600, "The message is too large."));
      try {
        if (body === CUT_SHORT) throw new SyntaxError("the body was cut short");
        needed = body === undefined ? [] : neededScopes(body, auth.toolScopes);
      } catch {
        // INVARIANT: what cannot be read for certain is not passed on, or the tool's scopes could be gone around.
        return refusal(rpcError(400, -32700, "Parse error"));
      }
      if (needed.length > 0) {
        allowed = await checked(auth.gate({ ...options, scopes: [...new Set([...(options.scopes ?? []), ...needed])] }, where));
        if ("response" in allowed) return allowed.response;
      }
    }

    const { identity } = allowed;
    const current: Call = { identity };
    const challenge = (): Response => refusal(answerIn(auth.challenge(options, current.missing ?? [])));
    let response: Response;
    try {
      response = await call.run(current, () => handler(identity, authInfo(identity)));
    } catch (error) {
      if (!(error instanceof InsufficientScope)) throw error;
      current.missing ??= error.scopes;
      return challenge();
    }
    if (typeof response?.status !== "number") throw new MisuseError(where, "the handler must return a Response");
    if (current.missing !== undefined && response.status >= 400) {
      await response.body?.cancel();
      return challenge();
    }
    if (protects && method !== "GET") response = await held(response, current, challenge);
    return permitted === undefined ? response : withCors(response, cors.headers(permitted));
  };
}

const TOO_LONG = Symbol("longer than any message");
const CUT_SHORT = Symbol("the client is gone");

/** Reads a copy of the body; the handler's own stays as it is. Undefined: there is none, or it is no JSON-RPC. */
async function peek(request: Request, { remembered }: WebPassage): Promise<Uint8Array | undefined | typeof TOO_LONG | typeof CUT_SHORT> {
  if (request.bodyUsed) {
    if (remembered === undefined) throw new MisuseError("body", "something has read the body before, so which tool is called cannot be known; put the guard in front of it");
    const body = await remembered();
    if (!couldBeRpc(body.subarray(0, 64))) return undefined;
    return body.length > RPC_BYTES ? TOO_LONG : body;
  }
  if (request.body === null) return undefined;
  const reader = request.clone().body?.getReader();
  if (reader === undefined) return undefined;
  const parts: Uint8Array[] = [];
  let length = 0;
  let isRpc = false;
  for (;;) {
    const read = await reader.read().catch((): typeof CUT_SHORT => CUT_SHORT);
    if (typeof read === "symbol") return CUT_SHORT;
    const { done, value } = read;
    if (value !== undefined) parts.push(value);
    length += value?.length ?? 0;
    if (!isRpc && (length >= ENCODING_BYTES || done)) {
      isRpc = couldBeRpc(Buffer.concat(parts));
      if (!isRpc) {
        // The other half of a copied stream ends only when both are read or let go: nobody waits for this one.
        void reader.cancel().catch(() => undefined);
        return undefined;
      }
    }
    if (length > RPC_BYTES || (isRpc && Number(request.headers.get("content-length")) > RPC_BYTES)) {
      void reader.cancel().catch(() => undefined);
      return TOO_LONG;
    }
    if (done) return Buffer.concat(parts);
  }
}

/** The response, with this route's CORS headers instead of the handler's. */
function withCors(response: Response, ours: [string, string][]): Response {
  const headers = new Headers(response.headers);
  for (const [name, value] of ours) {
    if (name === "Vary") headers.append(name, value);
    else headers.set(name, value);
  }
  try {
    for (const [name, value] of headers) if (name !== "set-cookie") response.headers.set(name, value);
    return response;
  } catch {
    // A redirect, or what `fetch` has returned: its headers cannot be changed.
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
  }
}
