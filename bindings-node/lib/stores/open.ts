/** From what a configuration says to a store. */

import { ConfigurationError } from "../errors";
import type { Store } from "./store";

const METHODS = ["load", "commit", "list", "purge", "close"] as const;

/**
 * Opens the store that a URL names; a store object is returned as it is.
 *
 * `memory:` forgets everything at the end of the process. `sqlite:///oauth.db` is a file in the working directory,
 * `sqlite:////var/lib/app/oauth.db` an absolute path. Throws ConfigurationError for anything else.
 */
export function openStore(where: string | Store): Store {
  if (typeof where === "string") return named(where);
  const given: unknown = where;
  if (given instanceof URL) {
    throw new ConfigurationError("store", `a text or a store object, not a URL object; write "sqlite:///oauth.db" or new SQLiteStore(url)`);
  }
  if (typeof given === "function") {
    throw new ConfigurationError("store", `a store object, not a class; write new ${given.name || "MyStore"}(...)`);
  }
  const methods = given as { [name: string]: unknown } | null | undefined;
  const missing = METHODS.filter((name) => typeof methods?.[name] !== "function");
  if (missing.length > 0) {
    throw new ConfigurationError("store", `${kind(given)} lacks ${missing.join(", ")}; see Store of lockstep-oauth/stores`);
  }
  return where;
}

function named(where: string): Store {
  if (where === "memory:" || where === "memory://") {
    const { MemoryStore } = require("./memory") as typeof import("./memory");
    return new MemoryStore();
  }
  if (where.startsWith("sqlite:")) {
    let path = where.slice("sqlite:".length);
    if (path.startsWith("//")) {
      const end = path.indexOf("/", 2);
      const host = path.slice(2, end < 0 ? undefined : end);
      path = end < 0 ? "" : path.slice(end + 1);
      if (host) {
        const relative = [host, path].filter(Boolean).join("/");
        throw new ConfigurationError("store", `\`${where}\` has two slashes; write sqlite:///${relative} for a relative path`);
      }
    }
    if (path && path !== ":memory:") {
      const { SQLiteStore } = require("./sqlite") as typeof import("./sqlite");
      return new SQLiteStore(path);
    }
  }
  throw new ConfigurationError("store", `\`${where}\` is not a store; use sqlite:///oauth.db, memory: or a store object`);
}

function kind(given: unknown): string {
  if (given === null || given === undefined) return String(given);
  return (typeof given === "object" && given.constructor?.name) || typeof given;
}
