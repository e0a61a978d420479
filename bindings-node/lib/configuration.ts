/** From friendly options to the core's configuration. What a value may be is checked in the core, once and for every language. */

import { ConfigurationError } from "./errors";
import type { Json } from "./types";

/** One scope, as the consent page shows it. */
export interface Scope {
  /** What the app may do with it, in the user's words: `"Read your notes"`. */
  description?: string;
  /** Only in a list of scopes; in an object the key is the name. */
  name?: string;
  /** Whether a client that asks for no scope gets it. Left out: yes, unless another scope says `default: true`. */
  default?: boolean;
  /** Whether the user may untick it. */
  optional?: boolean;
  /** Scopes that this one covers. */
  implies?: readonly string[];
}

/** One protected resource: the URL that clients connect to, such as `https://notes.example/mcp`. */
export interface Resource {
  resource: string;
  /** What the consent page calls it; the URL when left out. */
  name?: string;
  /** The scopes that mean anything here; all of them when left out. */
  scopes?: readonly string[];
  /** Other spellings of the URL that clients send. */
  aliases?: readonly string[];
  /** An https URL of a page for developers. */
  documentation?: string;
}

/** A client that you registered by hand. */
export interface Client {
  clientId: string;
  redirectUris?: readonly string[];
  /** What the consent page calls it; the identifier when left out. */
  clientName?: string;
  /** At least 16 characters; `npx lockstep-oauth keys secret` makes one. */
  clientSecret?: string;
  /** Left out: what the rest says. */
  tokenEndpointAuthMethod?: "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  jwks?: { readonly keys: readonly Json[] };
  jwksUri?: string;
  grantTypes?: readonly string[];
  /** The scopes it may ask for; all of them when left out. */
  scopes?: readonly string[];
  /** Whether its assertions may name the token endpoint as audience, as older libraries do. */
  olderAudiences?: boolean;
  /** Whether it may use the introspection endpoint. */
  introspects?: boolean;
  disabled?: boolean;
}

/** Who may register a client (RFC 7591). */
export interface Registration {
  mode?: "off" | "open" | "guarded";
  /** For `guarded`: texts of at least 16 characters. */
  initialAccessTokens?: readonly string[];
  /** How long a registration lives that no user has approved. Default: one day. */
  unusedSeconds?: number;
  /** How many registrations one address may make in an hour. Default: 60. */
  perHour?: number;
}

/** Which client id metadata documents are fetched, and how long they are kept. */
export interface ClientDocuments {
  enabled?: boolean;
  /** Only these hosts, when any are named. */
  allowHosts?: readonly string[];
  denyHosts?: readonly string[];
  /** Development only: allow documents on this machine. Honoured only where the issuer is http on loopback. */
  loopback?: boolean;
  /** Whether every https redirect must be on the document's own host. */
  sameHostRedirects?: boolean;
  minSeconds?: number;
  maxSeconds?: number;
  /** How long a copy may serve while its host is down. Default: one week. */
  staleSeconds?: number;
  /** How many fetches are made for one address in a minute. Default: 30. */
  perMinute?: number;
}

/** A discovery document of your own under `/.well-known/`. */
export interface Document {
  path: string;
  /** Text, or a value that is written as JSON. */
  body: Json;
  contentType?: string;
}

/** The options that go to the core as they are. */
export interface CoreOptions {
  /** "opaque" (default) or "jwt" (RFC 9068) for resource servers that share no storage. */
  accessTokenFormat?: "opaque" | "jwt";
  /** Life of an authorization code. Default 60. */
  codeSeconds?: number;
  /** How long a consent page stays usable. Default 600. */
  ticketSeconds?: number;
  /** Life of an access token. Default 3600; 300 for JWTs. */
  accessSeconds?: number;
  /** Life of a refresh token that nobody uses. Default 30 days. */
  idleSeconds?: number;
  /** Life of a grant, however often it is refreshed. Default 180 days. */
  absoluteSeconds?: number;
  /** How soon after its redemption a repeated code is denied without ending the grant. Default 5. */
  codeRaceSeconds?: number;
  /** How long a refresh may be repeated and gets the same answer. Default 30, at most 60; 0 = never. */
  retryWindowSeconds?: number;
  /** How many generations in a row may be repeated before the grant ends. Default: any number. */
  overlapBudget?: number;
  /** When there are refresh tokens: "grant_types" (default), "offline_access" or "never". */
  refresh?: "grant_types" | "offline_access" | "never";
  /** Whether scopes that are not configured are dropped ("drop", default) or refused ("refuse"). */
  unknownScopes?: "drop" | "refuse";
  /** URI schemes without a dot that redirects may use, such as "cursor". Default: those of known apps. */
  privateSchemes?: readonly string[];
  /** Prefixes for people and secret scanners, by kind. */
  tokenPrefixes?: { readonly code?: string; readonly access?: string; readonly refresh?: string; readonly personal?: string };
  /** Whether one grant may cover several resources. Default false. */
  severalResources?: boolean;
  /** An https URL of a page for developers. */
  serviceDocumentation?: string;
}

/** What the core is configured with. */
export interface Configured extends CoreOptions {
  /** The https address of the authorization server; with a path when the app's own routes are in the way. */
  issuer: string;
  /** What is protected: the URL that clients connect to. `resources` for several. */
  resource?: string | Resource;
  resources?: readonly (string | Resource)[];
  /** What an app may ask for: `{ "notes:read": "Read your notes" }`, or Scope objects. */
  scopes: { readonly [name: string]: string | Scope } | readonly (string | Scope)[];
  /** Clients that you register by hand. */
  clients?: readonly Client[];
  /** Who may register a client: "off" (default), "open", "guarded" or a Registration. */
  registration?: "off" | "open" | "guarded" | Registration;
  /** Whether client id metadata documents are fetched (default true), or a ClientDocuments. */
  clientDocuments?: boolean | ClientDocuments;
  /** Discovery documents of your own: `{ "/.well-known/x": {…} }` or Document objects. */
  documents?: { readonly [path: string]: Json } | readonly Document[];
}

type Entry = { [name: string]: unknown };

const SECONDS = ["codeSeconds", "ticketSeconds", "accessSeconds", "idleSeconds", "absoluteSeconds", "codeRaceSeconds", "retryWindowSeconds"];
const CHOICES: { [name: string]: readonly string[] } = {
  accessTokenFormat: ["opaque", "jwt"],
  refresh: ["grant_types", "offline_access", "never"],
  unknownScopes: ["drop", "refuse"],
};
const PLAIN = [
  "privateSchemes", "accessTokenFormat", "overlapBudget", "unknownScopes", "refresh", "tokenPrefixes", "severalResources", "serviceDocumentation",
];
const HOST = [
  "issuer", "resource", "resources", "scopes", "keys", "store", "signIn", "loginUrl", "nextParameter", "clients", "registration",
  "clientDocuments", "consentPage", "mayRefresh", "verifyToken", "documents", "onEvent", "fetcher", "environment",
];
/** Every option there is. */
export const KNOWN = [...HOST, ...SECONDS, ...PLAIN];
/** Names that people try, and what they mean. */
const ELSEWHERE: { [name: string]: string } = {
  accessTokenSeconds: "accessSeconds",
  accessTokenLifetime: "accessSeconds",
  accessTokenTtl: "accessSeconds",
  refreshTokenSeconds: "idleSeconds",
  refreshTokenLifetime: "idleSeconds",
  refreshTokenTtl: "idleSeconds",
  allowLoopbackDocuments: "clientDocuments: { loopback: true }",
  database: "store",
  secret: "keys",
  secretKey: "keys",
  audience: "resource",
  baseUrl: "issuer",
  issuerUrl: "issuer",
  dcr: "registration",
  dynamicRegistration: "registration",
  jwt: 'accessTokenFormat: "jwt"',
  redirectUris: "clients: [{ clientId, redirectUris }]",
  requiredScopes: "scopes",
  scopesSupported: "scopes",
  tokenFormat: "accessTokenFormat",
  currentUser: "signIn",
  getUser: "signIn",
  user: "signIn",
};

/** Refuses the first option that is not known, with the one that was probably meant. */
export function refuseUnknown(options: object): void {
  for (const name of Object.keys(options)) {
    if (KNOWN.includes(name)) continue;
    const meant = ELSEWHERE[name] ?? nearest(name, KNOWN);
    const hint = meant === undefined ? `known are ${[...KNOWN].sort().join(", ")}` : `did you mean \`${meant}\`?`;
    throw new ConfigurationError(name, `this option is not known; ${hint}`);
  }
}

/** Returns the core's configuration, ready for JSON. What is left out stays so: the core knows the defaults. */
export function coreConfiguration(options: Configured): Entry {
  if (options.issuer && typeof options.issuer !== "string") throw new ConfigurationError("issuer", `a text, not ${shown(options.issuer)}`);
  if (!options.issuer) throw new ConfigurationError("issuer", 'missing; give the https address of your app, such as "https://notes.example"');
  const entry: Entry = {
    issuer: options.issuer,
    resources: resources(options.resource, options.resources),
    scopes: scopes(options.scopes),
    clients: listed("clients", options.clients ?? []).map(client),
    registration: registration(options.registration ?? "off"),
    client_documents: clientDocuments(options.clientDocuments ?? true),
    documents: documents(options.documents ?? []),
  };
  for (const name of [...SECONDS, ...PLAIN]) {
    const value = (options as unknown as Entry)[name];
    if (value !== undefined && value !== null) entry[snake(name)] = plain(name, value);
  }
  return entry;
}

function plain(name: string, value: unknown): unknown {
  if (SECONDS.includes(name)) return seconds(name, value);
  const choices = CHOICES[name];
  if (choices !== undefined && !choices.includes(value as string)) {
    throw new ConfigurationError(name, `one of ${choices.map(shown).join(", ")}, not ${shown(value)}`);
  }
  return value;
}

function seconds(field: string, value: unknown): number {
  if (!Number.isInteger(value)) throw new ConfigurationError(field, `a whole number of seconds, not ${shown(value)}`);
  return value as number;
}

function listed<T>(field: string, value: readonly T[]): readonly T[] {
  if (!Array.isArray(value)) throw new ConfigurationError(field, `a list, not ${shown(value)}`);
  return value;
}

function texts(field: string, value: readonly string[] | undefined): string[] | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) throw new ConfigurationError(field, `a list of texts, not ${shown(value)}; write [${shown(value)}] for a single one`);
  return [...value];
}

/** As `texts`, but an empty list is as good as none. */
function some(field: string, value: readonly string[] | undefined): string[] | undefined {
  const list = texts(field, value);
  return list?.length === 0 ? undefined : list;
}

/** Refuses members that are not known, and those that must be there and are not. */
export function made<T extends object>(at: string, value: T, known: readonly (keyof T & string)[], required?: keyof T & string): T {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ConfigurationError(at, `an object, not ${shown(value)}`);
  for (const name of Object.keys(value)) {
    if ((known as readonly string[]).includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant === undefined ? `known are ${known.join(", ")}` : `did you mean \`${meant}\`?`;
    throw new ConfigurationError(`${at}.${name}`, `this member is not known; ${hint}`);
  }
  if (required !== undefined && value[required] === undefined) throw new ConfigurationError(`${at}.${required}`, "missing; it is required");
  return value;
}

function resources(resource: Configured["resource"], several: Configured["resources"]): Entry[] {
  if (resource !== undefined && several !== undefined) throw new ConfigurationError("resources", "give either `resource` or `resources`, not both");
  if (several !== undefined && !Array.isArray(several)) throw new ConfigurationError("resources", "a list; for a single one write resource: …");
  const all = resource === undefined ? (several ?? []) : [resource];
  if (all.length === 0) throw new ConfigurationError("resource", 'missing; name the URL that clients connect to, such as "https://notes.example/mcp"');
  return all.map((one, index) => {
    const at = resource === undefined ? `resources[${index}]` : "resource";
    if (typeof one !== "string" && (typeof one !== "object" || one === null)) throw new ConfigurationError(at, `a URL or an object, not ${shown(one)}`);
    const entry = typeof one === "string" ? { resource: one } : made(at, one, ["resource", "name", "scopes", "aliases", "documentation"], "resource");
    return {
      resource: entry.resource,
      name: entry.name || undefined,
      scopes: some(`${at}.scopes`, entry.scopes),
      aliases: some(`${at}.aliases`, entry.aliases),
      documentation: entry.documentation,
    };
  });
}

const SCOPE_MEMBERS = ["description", "name", "default", "optional", "implies"] as const;

function scopes(given: Configured["scopes"]): Entry[] {
  if (typeof given === "string") throw new ConfigurationError("scopes", `an object of names and descriptions, not a text; write { ${shown(given)}: "What it allows" }`);
  if (!given || Object.keys(given).length === 0) throw new ConfigurationError("scopes", 'missing; say what an app may ask for: { "notes:read": "Read your notes" }');
  const named: [string, Scope][] = Array.isArray(given) ? (given as (string | Scope)[]).map(inList) : Object.entries(given).map(inObject);
  const chosen = named.some(([, scope]) => scope.default === true);
  return named.map(([name, scope]) => ({
    name,
    description: scope.description || undefined,
    optional: scope.optional === true,
    // Once one scope is named the default, the others are not.
    default: scope.default ?? (chosen ? false : undefined),
    implies: some(`scopes["${name}"].implies`, scope.implies),
  }));
}

function inList(scope: string | Scope, index: number): [string, Scope] {
  const at = `scopes[${index}]`;
  const entry = typeof scope === "string" ? { name: scope } : made<Scope>(at, scope, SCOPE_MEMBERS);
  if (!entry.name) throw new ConfigurationError(at, "in a list each scope needs its name");
  return [entry.name, entry];
}

function inObject([name, scope]: [string, string | Scope]): [string, Scope] {
  const at = `scopes["${name}"]`;
  const entry = typeof scope === "string" ? { description: scope } : made<Scope>(at, scope, SCOPE_MEMBERS);
  if (entry.name !== undefined && entry.name !== name) throw new ConfigurationError(at, `the scope calls itself ${shown(entry.name)}; leave \`name\` out in an object`);
  return [name, entry];
}

const CLIENT_MEMBERS = [
  "clientId", "redirectUris", "clientName", "clientSecret", "tokenEndpointAuthMethod", "jwks", "jwksUri", "grantTypes", "scopes",
  "olderAudiences", "introspects", "disabled",
] as const;

function client(given: Client, index: number): Entry {
  const at = `clients[${index}]`;
  const one = made<Client>(at, given, CLIENT_MEMBERS, "clientId");
  return {
    client_id: one.clientId,
    client_name: one.clientName,
    redirect_uris: some(`${at}.redirectUris`, one.redirectUris),
    client_secret: one.clientSecret,
    token_endpoint_auth_method: one.tokenEndpointAuthMethod,
    jwks: one.jwks,
    jwks_uri: one.jwksUri,
    grant_types: texts(`${at}.grantTypes`, one.grantTypes),
    scopes: texts(`${at}.scopes`, one.scopes),
    older_audiences: one.olderAudiences ?? false,
    introspects: one.introspects ?? false,
    disabled: one.disabled ?? false,
  };
}

function registration(given: NonNullable<Configured["registration"]>): Entry {
  const one = typeof given === "string" ? { mode: given } : made<Registration>("registration", given, ["mode", "initialAccessTokens", "unusedSeconds", "perHour"]);
  const mode = one.mode ?? "open";
  const tokens = some("registration.initialAccessTokens", one.initialAccessTokens);
  if (mode === "guarded" && tokens === undefined) {
    throw new ConfigurationError("registration", 'give the tokens: { mode: "guarded", initialAccessTokens: […] }');
  }
  if (mode !== "guarded" && tokens !== undefined) {
    throw new ConfigurationError("registration.initialAccessTokens", 'only "guarded" asks for them; write { mode: "guarded", … }');
  }
  return {
    mode,
    initial_access_tokens: tokens,
    unused_seconds: optionalSeconds("registration.unusedSeconds", one.unusedSeconds),
    per_hour: one.perHour,
  };
}

function optionalSeconds(field: string, value: number | undefined): number | undefined {
  return value === undefined ? undefined : seconds(field, value);
}

const HOST_PATTERN = /^(?:(?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;
const DOCUMENTS_MEMBERS = [
  "enabled", "allowHosts", "denyHosts", "loopback", "sameHostRedirects", "minSeconds", "maxSeconds", "staleSeconds", "perMinute",
] as const;

function clientDocuments(given: NonNullable<Configured["clientDocuments"]>): Entry {
  const at = "clientDocuments";
  const one = typeof given === "boolean" ? { enabled: given } : made<ClientDocuments>(at, given, DOCUMENTS_MEMBERS);
  for (const name of ["allowHosts", "denyHosts"] as const) {
    for (const host of texts(`${at}.${name}`, one[name]) ?? []) {
      if (!HOST_PATTERN.test(host)) throw new ConfigurationError(`${at}.${name}`, `a host in lower case such as "app.example" or "*.app.example", not ${shown(host)}`);
    }
  }
  return {
    enabled: one.enabled ?? true,
    allow_hosts: some(`${at}.allowHosts`, one.allowHosts),
    deny_hosts: some(`${at}.denyHosts`, one.denyHosts),
    loopback: one.loopback ?? false,
    same_host_redirects: one.sameHostRedirects ?? false,
    min_seconds: optionalSeconds(`${at}.minSeconds`, one.minSeconds),
    max_seconds: optionalSeconds(`${at}.maxSeconds`, one.maxSeconds),
    stale_seconds: optionalSeconds(`${at}.staleSeconds`, one.staleSeconds),
    per_minute: one.perMinute,
  };
}

const OUR_DOCUMENTS = ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource", "/.well-known/openid-configuration"];

function documents(given: NonNullable<Configured["documents"]>): Entry[] {
  const all = Array.isArray(given) ? (given as readonly Document[]) : Object.entries(given as { [path: string]: Json }).map(([path, body]) => ({ path, body }));
  const seen = new Set<string>();
  return all.map((one, index) => {
    const at = `documents[${index}]`;
    const document = made<Document>(at, one, ["path", "body", "contentType"], "path");
    if (OUR_DOCUMENTS.some((path) => String(document.path).startsWith(path))) {
      throw new ConfigurationError(`${at}.path`, `\`${document.path}\` is served by Lockstep itself; choose another path`);
    }
    if (seen.has(document.path)) throw new ConfigurationError(`${at}.path`, `\`${document.path}\` appears twice`);
    seen.add(document.path);
    const body = typeof document.body === "string" ? document.body : JSON.stringify(document.body);
    if (body === undefined) throw new ConfigurationError(`${at}.body`, "a text or a JSON value");
    return { path: document.path, content_type: document.contentType ?? "application/json", body };
  });
}

/** Returns the core's complaint with the names that the host wrote. */
export function placed(error: unknown, singleResource: boolean): unknown {
  if (!(error instanceof ConfigurationError)) return error;
  let field = error.field || "configuration";
  const message = error.field ? error.message.slice(error.field.length + 2) : error.message;
  if (singleResource) field = field.replace(/^resources(\[0\](\.resource)?)?/, "resource");
  // Names between quotes are the host's own.
  field = field.replace(/"[^"]*"|_[a-z]/g, (found) => (found.startsWith('"') ? found : found.charAt(1).toUpperCase()));
  return new ConfigurationError(field, message, { cause: error });
}

function snake(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A value as an error message shows it. */
export function shown(value: unknown): string {
  if (typeof value === "function") return `the function ${value.name || "(anonymous)"}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
}

/** The known name that is at most a third of its letters away. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const far = known.map((one) => [distance(name.toLowerCase(), one.toLowerCase()), one] as const);
  const [best] = far.sort(([a], [b]) => a - b);
  return best !== undefined && best[0] <= Math.max(name.length, best[1].length) / 3 ? best[1] : undefined;
}

/** How many letters must change to make one word of the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const kept = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(kept, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
