/** The one object that a host makes: configuration, endpoints, guards, and what account pages need. */

import { AuditTrail } from "./audit";
import { type Configured, coreConfiguration, made, placed, refuseUnknown, shown } from "./configuration";
import type { ProtectOptions } from "./cors";
import { claimsText, Decisions, type HostFunctions, NobodySignedIn } from "./decisions";
import { ALLOWED, drive, type Fetcher, type Host } from "./drive";
import { now, seed } from "./environment";
import { ConfigurationError, MisuseError, StoreError } from "./errors";
import type { ExpressSeat } from "./express";
import type { FastifySeat } from "./fastify";
import { Gate } from "./gate";
import type { HonoSeat } from "./hono";
import { loadKeys, newKeys } from "./keys";
import type { McpSeat } from "./mcp";
import { Budget, type Decision, type Exchange, type GrantSummary, type HttpResponse, type Question, Server, converted } from "./native";
import { openStore } from "./stores/index";
import type { Store } from "./stores/store";
import type { AuditEvent, Claims, Identity, IssuedToken } from "./types";
import type { Way } from "./ways";
import type { WebSeat } from "./web";

/** Everything that can be configured. What is wrong throws ConfigurationError with the option and the fix. */
export interface LockstepOptions<Request = any> extends Configured, HostFunctions<Request> {
  /** The key ring's text, or `{ file }` with its path; left out: LOCKSTEP_KEYS or LOCKSTEP_KEYS_FILE. */
  keys?: string | { readonly file: string };
  /** "sqlite:///oauth.db" (default), "memory:", or a store object. */
  store?: string | Store;
  /** Called with each audit event. */
  onEvent?: (event: AuditEvent) => void;
  /** Who fetches documents and keys of clients; left out: the built-in, which checks every address. */
  fetcher?: Fetcher;
  /** Where keys are looked up; left out: the process's environment. */
  environment?: { readonly [name: string]: string | undefined };
}

/** What a guard wants of a request. */
export interface Guarded {
  /** Every scope that the request needs. */
  scopes?: readonly string[];
  /** A configured resource; the first when left out. */
  resource?: string;
  /** Who makes a request that has no `Authorization` header, by an API key of yours. */
  orApiKey?: Way;
  /**
   * The same by a session, asked after `orApiKey`. A session is sent by the browser on its own, so guard what changes
   * something against cross-site requests, as in any other handler of yours.
   */
  orSession?: Way;
}

const GUARDED: readonly (keyof Guarded)[] = ["scopes", "resource", "orApiKey", "orSession"];
const PROTECTED: readonly (keyof ProtectOptions)[] = ["scopes", "resource", "origins"];

/** Makes a Lockstep. */
export function lockstep<Request = any>(options: LockstepOptions<Request>): Lockstep {
  return new Lockstep(options);
}

/** OAuth 2.1 for an MCP server or an API: the authorization server, and the guard of what it protects. */
export class Lockstep {
  readonly issuer: string;
  /** The resource identifiers, as configured. */
  readonly resources: readonly string[];
  /** The descriptions of the scopes, by name. */
  readonly scopes: ReadonlyMap<string, string>;
  readonly store: Store;
  /** @internal */
  readonly native: Server;
  /** @internal */
  readonly audit: AuditTrail;
  /** @internal Which scopes a call of each tool needs, by the tool's name. */
  readonly toolScopes = new Map<string, readonly string[]>();
  readonly #budget = new Budget();
  readonly #decisions: Decisions;
  readonly #implied: ReadonlyMap<string, ReadonlySet<string>>;
  #fetcher: Fetcher | undefined;

  constructor(options: LockstepOptions) {
    if (typeof options !== "object" || options === null) throw new ConfigurationError("options", `an object, not ${shown(options)}`);
    refuseUnknown(options);
    const config = coreConfiguration(options);
    this.#decisions = new Decisions(options);
    if (options.fetcher !== undefined && typeof options.fetcher?.fetch !== "function") {
      throw new ConfigurationError("fetcher", `an object with fetch(request, admit), not ${shown(options.fetcher)}`);
    }
    if (options.signIn === "personal_token") config.sign_in = "personal_token";
    config.custom_consent = options.consentPage !== undefined;
    config.ask_refresh = options.mayRefresh !== undefined;
    config.verify_tokens = options.verifyToken !== undefined;

    const scopes = config.scopes as { name: string; description?: string; implies?: string[] }[];
    this.issuer = options.issuer;
    this.resources = (config.resources as { resource: string }[]).map((entry) => entry.resource);
    this.scopes = new Map(scopes.map(({ name, description }) => [name, description ?? ""]));
    this.#implied = closure(new Map(scopes.map(({ name, implies }) => [name, implies ?? []])));
    this.audit = new AuditTrail(options.onEvent);
    this.store = openStore(options.store ?? "sqlite:///oauth.db");
    const single = options.resource !== undefined;
    const make = (keys: string): Server => {
      try {
        return new Server(JSON.stringify(config), keys);
      } catch (error) {
        throw placed(error, single);
      }
    };
    let keys: string;
    try {
      keys = loadKeys(options.keys, options.environment ?? process.env, options.issuer, pathOf(this.store));
    } catch (error) {
      make(newKeys()); // a wrong issuer is said first: it may be why keys are wanted at all
      throw error;
    }
    this.native = make(keys);
    this.#fetcher = options.fetcher;
  }

  // --- Endpoints and guards, by framework ----------------------------------------------------------------------

  /** Express, Connect and plain `node:http`: `app.use(auth.express())`. */
  get express(): ExpressSeat {
    return this.#seat("express", () => (require("./express") as typeof import("./express")).expressSeat(this));
  }

  /** Fastify: `app.register(auth.fastify())`. */
  get fastify(): FastifySeat {
    return this.#seat("fastify", () => (require("./fastify") as typeof import("./fastify")).fastifySeat(this));
  }

  /** Hono: `app.use(auth.hono())`. */
  get hono(): HonoSeat {
    return this.#seat("hono", () => (require("./hono") as typeof import("./hono")).honoSeat(this));
  }

  /** Web-standard handlers: `await auth.web.fetch(request)`. */
  get web(): WebSeat {
    return this.#seat("web", () => (require("./web") as typeof import("./web")).webSeat(this));
  }

  /** The seat in the official MCP SDK. */
  get mcp(): McpSeat {
    return this.#seat("mcp", () => (require("./mcp") as typeof import("./mcp")).mcpSeat(this));
  }

  /** Express middleware that lets requests through whose token has all of the scopes: `auth.require("notes:read")`. */
  require(...scopes: string[]): ReturnType<ExpressSeat["requireBearer"]> {
    if (scopes.some((scope) => Array.isArray(scope))) throw new ConfigurationError("require", "the scopes one by one, not a list: require(...scopes)");
    return this.express.requireBearer({ scopes });
  }

  readonly #seats = new Map<string, unknown>();

  #seat<T>(name: string, make: () => T): T {
    // Each framework's module is loaded at its first use: nobody pays for the others.
    let seat = this.#seats.get(name) as T | undefined;
    if (seat === undefined) {
      seat = make();
      this.#seats.set(name, seat);
    }
    return seat;
  }

  /** Returns whose token this is, or undefined when it does not fit. */
  async checkToken(token: string, { scopes = [], resource }: Guarded = {}): Promise<Identity | undefined> {
    // Anything else would be cut into something that was not sent.
    if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) return undefined;
    const gate = this.gate({ scopes, ...(resource === undefined ? {} : { resource }) }, "checkToken");
    const checked = await gate.check([`Bearer ${token}`], "", "", undefined);
    return "identity" in checked ? checked.identity : undefined;
  }

  // --- Account pages -------------------------------------------------------------------------------------------

  /** Lists the apps that a user has connected, newest first. */
  async connectedApps(subject: string): Promise<GrantSummary[]> {
    return (await this.#grants(subject)).filter((grant) => !grant.personal);
  }

  /** Disconnects an app. False when the user has no such grant. */
  async revokeApp(subject: string, grantId: string): Promise<boolean> {
    const operation = converted(() => this.native.revokeGrant(text("subject", subject), text("grantId", grantId), now(), seed()));
    return (await this.#operate(operation)).kind !== "not_found";
  }

  /** Ends all of a user's grants and personal tokens at once. */
  async signOutEverywhere(subject: string): Promise<void> {
    await this.#operate(converted(() => this.native.signOutEverywhere(text("subject", subject), now(), seed())));
  }

  /** Issues a token that a person copies into a script. It is shown once: nothing keeps it. */
  async issuePersonalToken(
    subject: string,
    options: { name: string; scopes: readonly string[]; expiresIn: number; resource?: string; claims?: Claims },
  ): Promise<IssuedToken> {
    const { name, scopes, expiresIn, resource, claims } = options;
    if (!Number.isInteger(expiresIn)) throw new MisuseError("expiresIn", `a whole number of seconds, not ${shown(expiresIn)}`);
    const target = this.resourceNamed(resource, "issuePersonalToken");
    const known = this.knownScopes(scopes, "issuePersonalToken");
    const operation = converted(() =>
      this.native.issuePersonal(text("subject", subject), text("name", name), claimsText("claims", claims), target, known, expiresIn, now(), seed()),
    );
    const { token, grantId, expiresAt } = await this.#operate(operation);
    return { token: token ?? "", grantId: grantId ?? "", expiresAt: expiresAt ?? 0 };
  }

  /** Lists a user's personal tokens, newest first. */
  async listPersonalTokens(subject: string): Promise<GrantSummary[]> {
    return (await this.#grants(subject)).filter((grant) => grant.personal);
  }

  /** Ends a personal token. False when the user has no such token. */
  async revokePersonalToken(subject: string, grantId: string): Promise<boolean> {
    return this.revokeApp(subject, grantId);
  }

  /** Lets go of the store's files and connections, when the app shuts down. */
  async close(): Promise<void> {
    await this.store.close();
  }

  // --- For the adapters ----------------------------------------------------------------------------------------

  /** @internal Moves an exchange to its end and tells its events, unless it has allowed a request. */
  finish(exchange: Exchange, request: unknown): number | Promise<number> {
    const step = drive(exchange, this.#host(request));
    if (typeof step === "number") {
      if (step !== ALLOWED) this.audit.tell(exchange);
      return step;
    }
    return step.then((step) => {
      if (step !== ALLOWED) this.audit.tell(exchange);
      return step;
    });
  }

  /** @internal As `finish`, and says whether nobody was signed in where there is no login page. */
  answer(exchange: Exchange, request: unknown): boolean | Promise<boolean> {
    const host = this.#host(request);
    const step = drive(exchange, host);
    if (typeof step === "number") {
      this.audit.tell(exchange);
      return host.nobodySignedIn;
    }
    return step.then(() => {
      this.audit.tell(exchange);
      return host.nobodySignedIn;
    });
  }

  /** @internal The check of one route. */
  gate(guarded: Guarded, where: string): Gate {
    // A misspelt member, or scopes without their name, would guard less than was meant.
    const { scopes = [], resource } = made<Guarded & ProtectOptions>(where, guarded, where === "protect" ? PROTECTED : GUARDED);
    return new Gate(this, this.native.gate(this.resourceNamed(resource, where), this.knownScopes(scopes, where)));
  }

  /** @internal The answer to a missing scope: all scopes of this operation at once, since not every client adds them up. */
  challenge({ scopes = [], resource }: Guarded, missing: readonly string[]): HttpResponse {
    return this.native.challenge(this.resourceNamed(resource, "challenge"), [...new Set([...scopes, ...missing])]);
  }

  /** @internal A configured resource: the one that is named, or the first. */
  resourceNamed(resource: string | undefined, where: string): string {
    const known = this.resources;
    if (resource !== undefined && !known.includes(resource)) {
      throw new ConfigurationError(`${where}({ resource })`, `${shown(resource)} is not configured; known are ${known.join(", ")}`);
    }
    return resource ?? (known[0] as string);
  }

  /** @internal The scopes as a list. One that no token can hold would lock everyone out, so it is refused. */
  knownScopes(scopes: readonly string[], where: string): string[] {
    if (!Array.isArray(scopes)) throw new ConfigurationError(`${where}({ scopes })`, `a list of scopes, not ${shown(scopes)}`);
    for (const scope of scopes) {
      if (!this.scopes.has(scope)) {
        throw new ConfigurationError(`${where}({ scopes })`, `${shown(scope)} is not configured; known are ${[...this.scopes.keys()].join(", ")}`);
      }
    }
    return [...scopes];
  }

  /** Returns whether an identity's scopes cover all of these, what they imply included. */
  covers(identity: Identity, scopes: readonly string[]): boolean {
    return scopes.every((wanted) => identity.scopes.some((held) => held === wanted || this.#implied.get(held)?.has(wanted)));
  }

  #host(request: unknown): RequestHost {
    return new RequestHost(this.store, this.#budget, this.#decisions, () => this.#fetching(), request);
  }

  #fetching(): Fetcher {
    if (this.#fetcher === undefined) {
      // In two steps: the compiler drops the parentheses of `new (require(…) as …).SafeFetcher()`, and calls it as a function.
      const { SafeFetcher } = require("./fetch") as typeof import("./fetch");
      this.#fetcher = new SafeFetcher();
    }
    return this.#fetcher;
  }

  async #operate(exchange: Exchange) {
    await this.finish(exchange, undefined);
    const operated = exchange.operated();
    if (operated.kind === "unavailable") throw new StoreError("the store failed; nothing is certain to be written: try again");
    return operated;
  }

  async #grants(subject: string): Promise<GrantSummary[]> {
    const { native, store } = this;
    const [counter] = await store.load([native.subjectCounterKey(text("subject", subject))]);
    const records = await store.list(subject);
    return native.describe(
      records.map(([key]) => key),
      records.map(([, record]) => record),
      native.subjectCounter(counter),
      now(),
    );
  }
}

/** What the driver needs to move one exchange. */
class RequestHost implements Host {
  nobodySignedIn = false;
  readonly #decisions: Decisions;
  readonly #fetcher: () => Fetcher;
  readonly #request: unknown;

  constructor(
    readonly store: Store,
    readonly budget: Budget,
    decisions: Decisions,
    fetcher: () => Fetcher,
    request: unknown,
  ) {
    this.#decisions = decisions;
    this.#fetcher = fetcher;
    this.#request = request;
  }

  get fetcher(): Fetcher {
    return this.#fetcher();
  }

  async decide(question: Question): Promise<Decision> {
    try {
      return await this.#decisions.decide(question, this.#request);
    } catch (error) {
      this.nobodySignedIn ||= error instanceof NobodySignedIn;
      throw error;
    }
  }
}

function text(at: string, value: string): string {
  if (typeof value !== "string") throw new MisuseError(at, `a text, not ${shown(value)}`);
  return value;
}

function pathOf(store: Store): string | undefined {
  const path = (store as { path?: unknown }).path;
  return typeof path === "string" ? path : undefined;
}

/** All that each scope implies, over any number of steps. */
function closure(implies: ReadonlyMap<string, readonly string[]>): Map<string, Set<string>> {
  return new Map(
    [...implies.keys()].map((name) => {
      const reached = new Set<string>();
      const waiting = [name];
      for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
        for (const one of implies.get(at) ?? []) {
          if (!reached.has(one)) {
            reached.add(one);
            waiting.push(one);
          }
        }
      }
      return [name, reached];
    }),
  );
}
