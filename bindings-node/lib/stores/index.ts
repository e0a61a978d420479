/** The stores of this package, and the contract of any other. */

export { StoreError } from "../errors";
export { MemoryStore } from "./memory";
export { openStore } from "./open";
export type { SQLiteStoreOptions } from "./sqlite";
export { type Committed, KEPT_SECONDS, type Record, type Store, type Write } from "./store";

/** Records in one SQLite file, created with mode 0600. */
export declare const SQLiteStore: typeof import("./sqlite").SQLiteStore;
export type SQLiteStore = import("./sqlite").SQLiteStore;

// Loaded when it is asked for: not every server has its records there.
const lazy = {
  get SQLiteStore() {
    return (require("./sqlite") as typeof import("./sqlite")).SQLiteStore;
  },
};
// In just these words, which `import` recognises as an export.
Object.defineProperty(exports, "SQLiteStore", { enumerable: true, get: function () { return lazy.SQLiteStore; } });
