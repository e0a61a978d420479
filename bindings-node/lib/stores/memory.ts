/** Records in this process's memory: for tests, and for servers whose tokens may die with them. */

import { type Committed, KEPT_SECONDS, type Record, type Store, type Write } from "./store";

const PURGE_EVERY_MS = 600_000;

/** A Map. It forgets everything at the end of the process, and no other process sees it. */
export class MemoryStore implements Store {
  private readonly writes = new Map<string, Write>();
  private purgeAt = performance.now() + PURGE_EVERY_MS;

  /** Returns the record, or undefined, of each key in order. */
  load(keys: readonly string[]): (Record | undefined)[] {
    return keys.map((key) => this.writes.get(key));
  }

  /** Puts one record if the key is as expected. The write itself is kept, so leave it as it is. */
  commit(write: Write): Committed {
    if (performance.now() >= this.purgeAt) {
      this.purgeAt = performance.now() + PURGE_EVERY_MS;
      this.purge(Math.floor(Date.now() / 1000));
    }
    if (this.writes.get(write.key)?.version !== write.expect) return "conflict";
    this.writes.set(write.key, write);
    return "committed";
  }

  /** Returns keys and records labelled with the subject. */
  list(subject: string): [key: string, record: Record][] {
    const found: [string, Record][] = [];
    for (const [key, write] of this.writes) {
      if (write.subject === subject) found.push([key, write]);
    }
    return found;
  }

  /** Removes records that expired more than a day before `now`; returns how many. */
  purge(now: number): number {
    const before = this.writes.size;
    for (const [key, write] of this.writes) {
      if (write.expiresAt < now - KEPT_SECONDS) this.writes.delete(key);
    }
    return before - this.writes.size;
  }

  /** Forgets everything. */
  async close(): Promise<void> {
    this.writes.clear();
  }
}
