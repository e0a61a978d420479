// Written by build.mjs out of what napi's macros tell. Do not edit.

/** What a budget counts. */
export interface Admission {
  key: string
  limit: number
  periodSeconds: number
}

/** The counters that protect us and others. One a process. */
export declare class Budget {
  constructor()
  /** Counts one use of `key` and says whether it was within `limit` for this period. */
  admit(key: string, limit: number, periodSeconds: number, now: number): boolean
}

/** Show this in a page of your own: a form that posts the hidden inputs, and `decision` (`approve` or `deny`), to `action`. */
export interface ConsentQuestion {
  clientId: string
  clientName: string
  /** The host that the client's identifier names; empty when it names none. */
  clientHost: string
  /** Where the answer goes. */
  redirectHost: string
  redirectUri: string
  /** Whether the answer goes to a program on the user's own machine. */
  loopback: boolean
  /** Whether you registered the client by hand. */
  known: boolean
  resource: string
  scopes: Array<ShownScope>
  userName: string
  action: string
  hidden: Array<HiddenInput>
}

/** A person, as the host knows them. */
export interface DecidedUser {
  subject: string
  name: string
  /** A JSON object, as text. */
  claims: string
}

/** The host's answer to a question. */
export interface Decision {
  /** `signed_in`, `sign_in`, `approve`, `deny`, `page`, `built_in`, `allow`, `refuse` or `credential`. */
  kind: string
  /** For `signed_in`, `approve` and `credential`. */
  user?: DecidedUser
  /** For `approve` (all when undefined) and `credential`. */
  scopes?: Array<string>
  /** For `sign_in`. */
  location?: string
  /** For `page`: a whole HTML document. */
  html?: string
  /** For `credential`: seconds since 1970; undefined when the host checks that each time. */
  expiresAt?: number
}

/**
 * One request on its way. It is moved by the verb that answers its step; each verb returns the next step: 0 load, 1 commit,
 * 2 fetch, 3 decide, and at the end 4 answered, 5 allowed, 6 operated.
 */
export declare class Exchange {
  /** What it waits for. */
  get step(): number
  /** Seconds since 1970: the exchange's one consistent instant. */
  get now(): number
  /** The keys to load. */
  keys(): Array<string>
  /** The write to try. */
  write(): Write
  /** The request to send. */
  request(): FetchRequest
  /** What is asked. */
  question(): Question
  /** Goes on with one record, or undefined, for each key in order. */
  loaded(records: Array<Record | undefined | null>): number
  /** Goes on without: the store could not be read. */
  loadFailed(): number
  /** Goes on with what became of the write: `committed`, `conflict` or `unknown`. */
  committed(outcome: string): number
  /**
   * Goes on with another server's answer: header names and values by turns, a line each, `count` lines in all, and the
   * whole body within the request's limit.
   */
  fetched(status: number, headers: string, count: number, body: Uint8Array): number
  /** Goes on with the reason why there is no answer. */
  fetchFailed(reason: string): number
  /** Goes on without: the budget for such fetches is spent, and nothing was sent. */
  fetchOverBudget(): number
  /** Goes on with the host's decision. */
  decided(decision: Decision): number
  /** Goes on without: the host could not decide. */
  decideFailed(): number
  /** The response's status. */
  get status(): number
  /** The response's header names and values by turns, a line each, with its length unless it is the answer to a HEAD. */
  head(toHead: boolean): string
  /** The response's body: text where it is text. */
  body(): string | Buffer
  /** The refusal's id, when the request was refused. */
  get refusal(): string | null
  /** What happened, in order: each event as one line of JSON. */
  events(): Array<string>
  /** Who asks, as JSON. */
  identity(): string
  /** What became of an operation. */
  operated(): Operated
}

/** A request to another server, with its limits. */
export interface FetchRequest {
  method: string
  url: string
  headers: Array<Header>
  body: Buffer
  /** The most bytes of body to read; one more means failure. */
  limitBytes: number
  /** The time for the whole fetch, in milliseconds. */
  timeoutMs: number
  /** What the budget counts when a fetch really starts. */
  admission: Admission
  /** `public` or `public_or_loopback`: the rule to ask `addressPermitted` about every resolved address. */
  addresses: string
}

/** What one route needs. */
export declare class Gate {
  /**
   * Checks one request. `credentials` are the values of its `Authorization` headers, a line each, `count` of them.
   * Returns the identity, as JSON, where nothing has to be asked; else an exchange that ends allowed, or answered with
   * what to send instead.
   */
  check(credentials: string, count: number, query: string, peer: string, now: number, seed: Uint8Array): string | Exchange
}

/** One line of a user's list of connected apps and personal access tokens. */
export interface GrantSummary {
  grantId: string
  /** The client; empty for a personal access token. */
  clientId: string
  /** The client's own name, or the token's. */
  name: string
  /** Whether it is a personal access token. */
  personal: boolean
  scopes: Array<string>
  resources: Array<string>
  /** Seconds since 1970. */
  createdAt: number
  /** When its current generation began, in seconds since 1970. */
  usedAt: number
  /** Seconds since 1970. */
  expiresAt: number
}

/** A header to send. */
export interface Header {
  name: string
  value: string
}

/** One hidden input of the consent form. */
export interface HiddenInput {
  name: string
  value: string
}

/** A response to be sent as it is. */
export interface HttpResponse {
  status: number
  /** Names and values by turns, a line each. */
  head: string
  body: Buffer
}

/** The end of an operation for a user. */
export interface Operated {
  /** `issued`, `revoked`, `signed_out`, `not_found` or `unavailable`. */
  kind: string
  /** The personal access token, shown once; only when issued. */
  token?: string
  /** Its grant; only when issued. */
  grantId?: string
  /** Seconds since 1970; only when issued. */
  expiresAt?: number
}

/** What an exchange asks: exactly one of these. */
export interface Question {
  signIn?: SignInQuestion
  consent?: ConsentQuestion
  refresh?: RefreshQuestion
  /** Whose token is this, which we did not issue? */
  token?: string
  /** Is there budget left? The driver answers it. */
  admit?: Admission
}

/** A record as a store holds it. */
export interface Record {
  /** A whole number below 2^53. */
  version: number
  /** Bytes that only the core reads. */
  value: Uint8Array
  /** Seconds since 1970. */
  expiresAt: number
}

/** May this user's grant still be refreshed? */
export interface RefreshQuestion {
  subject: string
  clientId: string
  grantId: string
}

/** Why a request was refused: what the peer is told, and what the operator should know. */
export interface Refusal {
  /** A stable id, such as `token.code.reused`. */
  id: string
  status: number
  /** The standard's error code. */
  error: string
  /** What the peer is told. */
  sentence: string
  /** Where the standard says so. */
  specification: string
  /** What to do about it. */
  advice: string
}

/** An authorization server together with the resources it protects: immutable. */
export declare class Server {
  /** Reads a configuration (JSON) and a key ring (the text that `keysGenerate` makes). */
  constructor(config: string, keys: string)
  /**
   * Starts the exchange that a request asks for. `lines` are its method, path, query and peer and then header names and
   * values by turns, a line each; `count` says how many lines the headers have. It ends answered.
   */
  handle(lines: string, count: number, body: Uint8Array | undefined | null, now: number, seed: Uint8Array): Exchange
  /** The check of one route. */
  gate(resource: string, scopes: Array<string>): Gate
  /** The 403 challenge for an operation that turned out to need more: name all scopes that it needs. */
  challenge(resource: string, scopes: Array<string>): HttpResponse
  /** Starts making a personal access token, with claims as JSON. It ends operated. */
  issuePersonal(subject: string, name: string, claims: string, resource: string, scopes: Array<string>, expiresIn: number, now: number, seed: Uint8Array): Exchange
  /** Starts ending one grant or personal access token of a user. It ends operated. */
  revokeGrant(subject: string, grantId: string, now: number, seed: Uint8Array): Exchange
  /** Starts ending every grant, personal access token and session of a user. It ends operated. */
  signOutEverywhere(subject: string, now: number, seed: Uint8Array): Exchange
  /**
   * Reads what a store's `list(subject)` returned, keys and records in the same order: the live grants and tokens,
   * newest first. `counter` is what `subjectCounter` read; 0 shows grants that signing out has killed.
   */
  describe(keys: Array<string>, records: Array<Record>, counter: number, now: number): Array<GrantSummary>
  /** The key of a subject's counter, for a host that lists grants. */
  subjectCounterKey(subject: string): string
  /** Reads a subject's counter from its record. */
  subjectCounter(record?: Record | undefined | null): number
  /** Whether requests for this path belong here. */
  owns(path: string): boolean
  /** The paths that are answered; `{id}` stands for one segment. */
  paths(): Array<string>
  /** The issuer, exactly as configured. */
  get issuer(): string
  /** The resource identifiers, exactly as configured. */
  get resources(): Array<string>
}

/** One scope as a consent page shows it. */
export interface ShownScope {
  name: string
  /** What the app may do with it, in the user's words. */
  description: string
  /** Whether the user may untick it. */
  optional: boolean
}

/** Who is this? */
export interface SignInQuestion {
  /** Where the browser must come back to once somebody is signed in: a path at the issuer's origin. */
  returnTo: string
  clientId: string
  clientName: string
  scopes: Array<string>
  resource: string
}

/** One conditional write of one record. */
export interface Write {
  key: string
  /** The version that must be there; undefined: the key must be absent. */
  expect?: number
  /** A whole number below 2^53. */
  version: number
  /** Bytes that only the core reads. */
  value: Buffer
  /** Seconds since 1970. */
  expiresAt: number
  /** A label for `list`. */
  subject?: string
  /** A label. */
  client?: string
}

/**
 * Whether the rule (`public` or `public_or_loopback`) lets a fetch connect to this numeric address. A name, or a trick
 * spelling, is never permitted.
 */
export declare function addressPermitted(address: string, rule: string): boolean

/** The refusal of that id; undefined when there is none. */
export declare function explain(id: string): Refusal | null

/** The text of a new key ring that signs from `now` on; JWTs by `ES256` or `EdDSA`. */
export declare function keysGenerate(now: number, seed: Uint8Array, algorithm: string): string

/**
 * The text of the ring with one more key of each sort, which signs from `leadSeconds` on; the others verify for
 * `keepSeconds` after that.
 */
export declare function keysRotate(text: string, now: number, seed: Uint8Array, leadSeconds: number, keepSeconds: number): string

/** Every refusal there is. */
export declare function refusals(): Array<Refusal>
