/** The seat in the official MCP SDK, v1 and v2: its servers keep their shape, and the tokens are ours. */

import { shown } from "./configuration";
import { call, currentIdentity } from "./context";
import { ConfigurationError, InsufficientScope, StoreError } from "./errors";
import type { Guarded, Lockstep } from "./lockstep";
import { invalidToken } from "./mcp_errors";
import type { Identity } from "./types";

/** The SDK's view of a token (`AuthInfo`, in v1 and v2 alike), with the identity behind it. */
export interface AuthInfo {
  /** The token's text, for who checked it himself. Behind our guards it is empty: a tool has no use for it. */
  token: string;
  clientId: string;
  scopes: string[];
  /** Seconds since 1970. */
  expiresAt: number;
  resource: URL;
  extra: { identity: Identity; [name: string]: unknown };
}

/** The SDK's `OAuthTokenVerifier`. */
export interface TokenVerifier {
  /** Returns whose token this is. Throws the SDK's error for one that does not fit, StoreError when that cannot be told. */
  verifyAccessToken(token: string): Promise<AuthInfo>;
}

/** What the `requireBearerAuth` of the SDK takes, in v1 and v2. */
export interface BearerAuth {
  verifier: TokenVerifier;
  requiredScopes: string[];
  resourceMetadataUrl: string;
  expectedResource: URL;
}

/** What a server of the official MCP SDK needs of us. */
export interface McpSeat {
  /** The SDK's token verifier for tokens of one resource. */
  tokenVerifier(options?: { resource?: string }): TokenVerifier;
  /**
   * The options of the SDK's own gate: `requireBearerAuth(auth.mcp.bearerAuth({ scopes: ["notes:read"] }))`. Behind that
   * gate a tool that throws InsufficientScope is a tool error and no challenge: `auth.express.protect` makes it one.
   */
  bearerAuth(options?: Guarded): BearerAuth;
  /**
   * Says which scopes a call of each tool needs, by the tool's name. The guards (`protect`) read which tool is called, and
   * answer 403 with a challenge before it runs. The names hold for every MCP server behind this Lockstep. What one tool
   * calls on its own is not seen here: `requires` is, wherever the call comes from.
   */
  toolScopes(tools: { readonly [tool: string]: string | readonly string[] }): void;
  /**
   * A tool's handler that checks again when it runs: `auth.mcp.requires("notes:write", async ({ text }) => …)`. Throws
   * InsufficientScope, which the guards (`protect`) answer with a challenge.
   */
  requires<Handler extends (...args: any[]) => unknown>(scopes: string | readonly string[], handler: Handler): Handler;
}

/** @internal An identity in the SDK's words. */
export function authInfo(identity: Identity, token = ""): AuthInfo {
  return {
    token,
    clientId: identity.clientId || identity.subject,
    scopes: [...identity.scopes],
    expiresAt: identity.expiresAt,
    get resource() {
      return new URL(identity.resource); // few look, and making one costs as much as half of a check
    },
    extra: { identity },
  };
}

/** @internal */
export function mcpSeat(auth: Lockstep): McpSeat {
  const tokenVerifier = ({ resource }: { resource?: string } = {}): TokenVerifier => {
    const gate = auth.gate(resource === undefined ? {} : { resource }, "tokenVerifier");
    return {
      async verifyAccessToken(token) {
        // Anything else would be cut into something that was not sent.
        if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) throw await invalidToken("The access token is not valid.");
        const checked = await gate.check([`Bearer ${token}`], "", "", undefined);
        if ("identity" in checked) return authInfo(checked.identity, token);
        const { refused } = checked;
        if (refused.status !== 401) throw new StoreError("the token could not be checked");
        throw await invalidToken(descriptionIn(refused.body()));
      },
    };
  };

  return {
    tokenVerifier,

    bearerAuth({ scopes = [], resource } = {}) {
      const target = auth.resourceNamed(resource, "bearerAuth");
      return {
        verifier: tokenVerifier({ resource: target }),
        requiredScopes: auth.knownScopes(scopes, "bearerAuth"),
        resourceMetadataUrl: metadataUrl(auth, target),
        expectedResource: new URL(target),
      };
    },

    toolScopes(tools) {
      for (const [tool, scopes] of Object.entries(tools)) {
        const known = auth.knownScopes(listed(scopes), `toolScopes["${tool}"]`);
        auth.toolScopes.set(tool, [...new Set([...(auth.toolScopes.get(tool) ?? []), ...known])]);
      }
    },

    requires(scopes, handler) {
      const known = auth.knownScopes(listed(scopes), "requires");
      if (known.length === 0) throw new ConfigurationError("requires", 'name at least one scope: auth.mcp.requires("notes:write", handler)');
      if (typeof handler !== "function") throw new ConfigurationError("requires", `the tool's handler, not ${shown(handler)}`);
      const checked = (...args: unknown[]): unknown => {
        const guarded = currentIdentity();
        // Behind the SDK's own gate nobody but its context knows who calls.
        const identity = guarded ?? identityIn(args.at(-1));
        if (identity === undefined || !auth.covers(identity, known)) throw new InsufficientScope(...known);
        return guarded === undefined ? call.run({ identity }, () => handler(...args)) : handler(...args);
      };
      return checked as typeof handler;
    },
  };
}

function listed(scopes: string | readonly string[]): readonly string[] {
  return typeof scopes === "string" ? [scopes] : scopes;
}

/** Who calls, in the context that the SDK gives its handlers: `extra.authInfo` in v1, `ctx.http.authInfo` in v2. */
function identityIn(context: unknown): Identity | undefined {
  const { authInfo, http } = (context ?? {}) as { authInfo?: AuthInfo; http?: { authInfo?: AuthInfo } };
  return (authInfo ?? http?.authInfo)?.extra?.identity;
}

/** What the core says of a token that it refuses. */
function descriptionIn(body: string | Uint8Array): string {
  const { error_description = "The access token is not valid." } = JSON.parse(Buffer.from(body as Uint8Array).toString()) as { error_description?: string };
  return error_description;
}

/** @internal Where a resource's metadata document is: the URL that the challenges name. */
export function metadataUrl(auth: Lockstep, resource: string): string {
  const { head } = auth.challenge({ resource }, []);
  return /resource_metadata="([^"]*)"/.exec(head)?.[1] ?? "";
}
