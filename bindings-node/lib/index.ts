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
export type { Fetched, Fetcher } from "./drive";
export type { Authenticated, ExpressSeat, Middleware } from "./express";
export type { Guarded, LockstepOptions } from "./lockstep";
export type { AuthInfo, McpSeat } from "./mcp";
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
export type { Around, WebSeat } from "./web";
