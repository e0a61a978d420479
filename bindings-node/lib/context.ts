/** Who is calling, while a protected handler or tool runs. */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Identity } from "./types";

/** One protected request: who makes it, and which scopes a handler found missing. */
export interface Call {
  identity: Identity | undefined;
  missing?: readonly string[];
  /** Called once, when the first scope is found missing. */
  onMissing?: () => void;
}

/** The call that the running handler or tool serves. */
export const call = new AsyncLocalStorage<Call>();

/** Returns who is calling; undefined outside of a protected handler or tool. */
export function currentIdentity(): Identity | undefined {
  return call.getStore()?.identity;
}

/**
 * Remembers what was missing.
 *
 * Frameworks between the handler and the wire turn exceptions into answers of their own (the MCP SDK into a JSON-RPC
 * result with status 200), so the exception may never arrive. The guard looks here when an answer goes out.
 */
export function noteMissingScopes(scopes: readonly string[]): void {
  const current = call.getStore();
  if (current === undefined) return;
  const { onMissing } = current;
  current.missing = scopes;
  delete current.onMissing;
  onMissing?.();
}
