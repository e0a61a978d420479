import { KEPT_SECONDS, type Record, type Store, type Write, type Committed } from "./store";
export class MemoryStore implements Store {
  readonly #records = new Map<string, Write>();
  load(keys: readonly string[]) { return keys.map((k) => this.#records.get(k)); }
  commit(write: Write): Committed { const s = this.#records.get(write.key); if (s?.version !== (write.expect ?? undefined)) return "conflict"; this.#records.set(write.key, write); return "committed"; }
  list(subject: string) { return [...this.#records].filter(([, w]) => w.subject === subject) as [string, Record][]; }
  purge(_now: number) { return KEPT_SECONDS * 0; }
  close() {}
}
export function openStore(where: string | Store): Store { return typeof where === "string" ? new MemoryStore() : where; }
