/** The stores of this package, and the contract of any other. */

export { MemoryStore } from "./memory";
export { openStore } from "./open";
export { SQLiteStore, type SQLiteStoreOptions } from "./sqlite";
export { type Committed, KEPT_SECONDS, type Record, type Store, type Write } from "./store";
export { StoreError } from "../errors";
