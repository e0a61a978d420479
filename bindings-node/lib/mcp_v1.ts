/**
 * For servers that were written against v1 of the official SDK: functions with the names and options of its `mcpAuthRouter`
 * and `requireBearerAuth`, which take a Lockstep where the SDK took an `OAuthServerProvider`.
 *
 * There is no `OAuthServerProvider` here. The SDK's router checks PKCE, redirects and clients by itself before it asks a
 * provider, and cannot pass on what the core must see (the client's authentication, the raw parameters); so its router goes.
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import { shown } from "./configuration";
import { ConfigurationError } from "./errors";
import type { Middleware } from "./express";
import { Lockstep } from "./lockstep";
import { metadataUrl } from "./mcp";
import { type NodeRequest, target } from "./node";

/** The options of v1's `mcpAuthRouter`. What Lockstep is configured with already may be left out, and must agree if not. */
export interface AuthRouterOptions {
  provider: Lockstep;
  issuerUrl?: URL | string;
  baseUrl?: URL | string;
  resourceServerUrl?: URL | string;
  scopesSupported?: readonly string[];
}

/** The options of v1's `requireBearerAuth`. */
export interface BearerAuthOptions {
  verifier: Lockstep;
  requiredScopes?: readonly string[];
  resourceMetadataUrl?: string;
  /** The resource, where there are several; the first when left out. */
  expectedResource?: URL | string;
}

/** Where an option of v1's router has gone. */
const GONE: { [name: string]: string } = {
  serviceDocumentationUrl: "lockstep({ serviceDocumentation })",
  resourceName: "lockstep({ resource: { resource, name } })",
  authorizationOptions: "lockstep({ registration: { perHour } }); Lockstep has budgets of its own",
  clientRegistrationOptions: "lockstep({ registration: { mode, perHour } })",
  revocationOptions: "nothing: Lockstep has budgets of its own",
  tokenOptions: "nothing: Lockstep has budgets of its own",
};

/** All endpoints and well-known documents; a body that `express.json()` has parsed before is no hindrance. */
export function mcpAuthRouter(options: AuthRouterOptions): Middleware {
  const { provider, issuerUrl, baseUrl, resourceServerUrl, scopesSupported } = options;
  const auth = lockstepOf("provider", provider);
  for (const name of Object.keys(options)) {
    if (GONE[name] !== undefined) throw new ConfigurationError(name, `this option is not one of Lockstep's router; instead: ${GONE[name]}`);
  }
  agree("issuerUrl", issuerUrl, [auth.issuer]);
  agree("baseUrl", baseUrl, [auth.issuer]);
  agree("resourceServerUrl", resourceServerUrl, auth.resources);
  auth.knownScopes(scopesSupported ?? [], "mcpAuthRouter");
  const endpoints = auth.express();
  return (request: NodeRequest, response: ServerResponse, next) => {
    if (request.rawBody === undefined && auth.native.owns(target(request).path)) request.rawBody = written(request);
    endpoints(request, response, next);
  };
}

/** The guard of an MCP route: as v1's, and what a tool misses becomes a challenge (see `auth.express.protect`). */
export function requireBearerAuth({ verifier, requiredScopes = [], resourceMetadataUrl, expectedResource }: BearerAuthOptions): Middleware {
  const auth = lockstepOf("verifier", verifier);
  agree("expectedResource", expectedResource, auth.resources);
  const resource = auth.resources.find((one) => expectedResource === undefined || plain(one) === plain(expectedResource)) as string;
  agree("resourceMetadataUrl", resourceMetadataUrl, [metadataUrl(auth, resource)]);
  return auth.express.protect({ scopes: requiredScopes, resource, origins: null });
}

function lockstepOf(option: string, given: unknown): Lockstep {
  if (!(given instanceof Lockstep)) throw new ConfigurationError(option, `a Lockstep, as lockstep({ ... }) makes it, not ${shown(given)}`);
  return given;
}

/** Refuses a URL that says otherwise than the configuration: which of the two is meant is not ours to guess. */
function agree(option: string, given: URL | string | undefined, configured: readonly string[]): void {
  if (given !== undefined && !configured.some((one) => plain(one) === plain(given))) {
    throw new ConfigurationError(option, `${String(given)} is not what Lockstep is configured with: ${configured.join(", ")}; leave it out`);
  }
}

/** A URL as texts are compared: `new URL("https://x")` writes a slash that the configuration has not. */
function plain(url: URL | string): string {
  const text = String(url);
  return text.endsWith("/") ? text.slice(0, -1) : text;
}

/** The body that a parser has read before, written again, if nothing of it can be lost that way. */
function written(request: IncomingMessage & { body?: unknown }): Buffer | undefined {
  const { body } = request;
  if (typeof body !== "object" || body === null || !request.readableDidRead) return undefined;
  const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type === "application/json") return Buffer.from(JSON.stringify(body));
  if (type !== "application/x-www-form-urlencoded") return undefined;
  const pairs = Object.entries(body).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map((one: unknown) => [name, one]));
  if (pairs.some(([, value]) => typeof value !== "string")) return undefined;
  return Buffer.from(new URLSearchParams(pairs as string[][]).toString());
}
