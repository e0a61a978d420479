/** OAuth 2.1 for MCP servers and APIs: see `lockstep`. */

export { currentIdentity } from "./context";
export {
  ConfigurationError,
  FetchError,
  InsufficientScope,
  LockstepError,
  MisuseError,
  OverBudgetError,
  StoreError,
  Undecided,
} from "./errors";
export { Lockstep, lockstep } from "./lockstep";
export { explain, refusals } from "./native";
export type { Client, ClientDocuments, Document, Registration, Resource, Scope } from "./configuration";
export type { ProtectOptions } from "./cors";
export type { Fetched, Fetcher } from "./drive";
export type { Authenticated, ExpressSeat, Listener, Middleware } from "./express";
export type { FastifyHook, FastifyPlugin, FastifySeat } from "./fastify";
export type { HonoMiddleware, HonoSeat } from "./hono";
export type { Guarded, LockstepOptions } from "./lockstep";
export type { AuthInfo, BearerAuth, McpSeat, TokenVerifier } from "./mcp";
export type { Committed, Record, Store, Write } from "./stores/store";
export type {
  AuditEvent,
  Claims,
  ConsentQuestion,
  ExternalToken,
  GrantSummary,
  Identity,
  IssuedToken,
  Json,
  Refusal,
  RefreshQuestion,
  SignInAnswer,
  SignInQuestion,
  User,
} from "./types";
export type { Way } from "./ways";
export type { Around, GuardedWebHandler, WebHandler, WebSeat } from "./web";
