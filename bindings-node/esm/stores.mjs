export { KEPT_SECONDS, MemoryStore, SQLiteStore, StoreError, openStore } from "../dist/stores/index.js";
