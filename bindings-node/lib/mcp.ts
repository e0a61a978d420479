/** The seat in the official MCP SDK: its servers keep their shape, and the tokens are ours. */

import type { Guarded, Lockstep } from "./lockstep";
import type { Identity } from "./types";

/** The SDK's view of a token (`AuthInfo`, in v1 and v2 alike), with the identity behind it. */
export interface AuthInfo {
  token: string;
  clientId: string;
  scopes: string[];
  /** Seconds since 1970. */
  expiresAt: number;
  resource: URL;
  extra: { identity: Identity; [name: string]: unknown };
}

/** What a server of the official MCP SDK needs of us. */
export interface McpSeat {
  /** The SDK's token verifier for tokens of one resource. */
  tokenVerifier(guarded?: Guarded): { verifyAccessToken(token: string): Promise<AuthInfo> };
}

/** @internal An identity in the SDK's words. */
export function authInfo(identity: Identity, credential: string): AuthInfo {
  return {
    token: credential.replace(/^\S+\s+/, ""),
    clientId: identity.clientId || identity.subject,
    scopes: [...identity.scopes],
    expiresAt: identity.expiresAt,
    resource: new URL(identity.resource),
    extra: { identity },
  };
}

/** @internal */
export function mcpSeat(_auth: Lockstep): McpSeat {
  throw new Error("not yet");
}
