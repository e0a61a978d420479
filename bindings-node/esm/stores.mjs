export { MemoryStore, SQLiteStore, openStore } from "../dist/stores/index.js";
