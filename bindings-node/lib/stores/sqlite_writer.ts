/** The connection that writes. It waits for the disk, so it lives in a thread of its own (see `sqlite_worker`). */

import type { Connection } from "./sqlite_driver";
import type { SQLiteFile } from "./sqlite_file";
import { type Committed, KEPT_SECONDS, type Write } from "./store";

/** At most so many records are removed at a time, so that no request waits for a long purge. */
export const PURGED_AT_ONCE = 500;
const PURGE_EVERY_MS = 600_000;

const INSERT =
  "INSERT INTO lockstep_records (version, value, expires_at, subject, client, key) VALUES (?, ?, ?, ?, ?, ?) " +
  "ON CONFLICT (key) DO NOTHING";
const UPDATE =
  "UPDATE lockstep_records SET version = ?, value = ?, expires_at = ?, subject = ?, client = ? WHERE key = ? AND version = ?";
const PURGE = "DELETE FROM lockstep_records WHERE key IN (SELECT key FROM lockstep_records WHERE expires_at < ? LIMIT ?)";

/** Writes to the file, and tells `report` what went wrong. */
export class Writer {
  private connection: Connection | undefined;
  private purgeAt = performance.now() + PURGE_EVERY_MS;

  constructor(
    private readonly file: SQLiteFile,
    private readonly report: (message: string) => void,
  ) {}

  /**
   * Puts each record whose key is as expected, one after the other, and returns what became of each.
   *
   * Several writes are one transaction, so that the disk is waited for once; each sees those before it.
   */
  commit(writes: readonly Write[]): Committed[] {
    let connection: Connection;
    try {
      connection = this.opened();
    } catch (error) {
      this.report(`${this.file.path} cannot be opened, nothing was written: ${reason(error)}`);
      return writes.map(() => "conflict");
    }
    const outcomes = writes.length === 1 ? this.alone(connection, writes) : this.together(connection, writes);
    if (outcomes.includes("committed")) this.purgeSometimes();
    return outcomes;
  }

  /** Removes some records that expired more than a day before `now`; returns how many. Throws what SQLite throws. */
  purge(now: number): number {
    return this.opened().run(PURGE, now - KEPT_SECONDS, PURGED_AT_ONCE);
  }

  close(): void {
    const { connection } = this;
    this.connection = undefined;
    try {
      connection?.close();
    } catch (error) {
      this.report(`a connection to ${this.file.path} could not be closed: ${reason(error)}`);
    }
  }

  /** One statement is one transaction, on the disk when it returns. */
  private alone(connection: Connection, writes: readonly Write[]): Committed[] {
    try {
      return writes.map((write) => put(connection, write));
    } catch (error) {
      return [this.failed(error)];
    }
  }

  private together(connection: Connection, writes: readonly Write[]): Committed[] {
    try {
      connection.exec("BEGIN IMMEDIATE");
    } catch (error) {
      const outcome = this.failed(error);
      return writes.map(() => outcome);
    }
    let outcomes: Committed[];
    try {
      outcomes = writes.map((write) => put(connection, write));
    } catch {
      return this.oneByOne(connection, writes);
    }
    try {
      connection.exec("COMMIT");
    } catch (error) {
      const outcome = this.lost(error);
      return writes.map(() => outcome);
    }
    return outcomes;
  }

  /** One of them failed. The transaction is undone, and each goes by itself, so that it takes no other with it. */
  private oneByOne(connection: Connection, writes: readonly Write[]): Committed[] {
    try {
      connection.exec("ROLLBACK");
    } catch (error) {
      const outcome = this.lost(error);
      return writes.map(() => outcome);
    }
    return writes.flatMap((write) => this.commit([write]));
  }

  private failed(error: unknown): Committed {
    if (!this.file.isBusy(error)) return this.lost(error);
    this.report(`${this.file.path} could not be written: ${reason(error)}`);
    return "conflict";
  }

  /** After any other fault nothing is known, of the write and of the connection alike. */
  private lost(error: unknown): Committed {
    this.report(`${this.file.path} could not be written: ${reason(error)}`);
    this.close();
    return "unknown";
  }

  private purgeSometimes(): void {
    if (performance.now() < this.purgeAt) return;
    let changed = 0;
    try {
      changed = this.purge(Math.floor(Date.now() / 1000));
    } catch (error) {
      this.report(`${this.file.path} could not be purged: ${reason(error)}`);
    }
    if (changed < PURGED_AT_ONCE) this.purgeAt = performance.now() + PURGE_EVERY_MS;
  }

  private opened(): Connection {
    return (this.connection ??= this.file.openWriter());
  }
}

function put(connection: Connection, write: Write): Committed {
  const { key, expect, version, value, expiresAt, subject = null, client = null } = write;
  const changed =
    expect === undefined
      ? connection.run(INSERT, version, value, expiresAt, subject, client, key)
      : connection.run(UPDATE, version, value, expiresAt, subject, client, key, expect);
  return changed === 1 ? "committed" : "conflict";
}

/** What an error says. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
