/**
 * Records in one SQLite file: durable, shared by all processes of one machine, in whatever language their host is.
 *
 * Every acknowledged commit is on the disk (`synchronous=FULL` over a write-ahead log). Do not put the file on a network
 * file system: SQLite's locks do not work there. What expired more than a day ago is removed along the way.
 *
 * Loads run at once. Commits wait for the disk in a thread of their own, and those that wait together are one transaction.
 *
 * Node 22 prints an ExperimentalWarning when its SQLite is loaded; `node --disable-warning=ExperimentalWarning` leaves it out.
 */

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigurationError, StoreError } from "../errors";
import { report, warn } from "../report";
import { type Connection, type DriverName, driver } from "./sqlite_driver";
import { type Place, SQLiteFile } from "./sqlite_file";
import { WORKER, WriterThread } from "./sqlite_thread";
import { reason } from "./sqlite_writer";
import type { Committed, Record, Store, Write } from "./store";

const COLUMNS = "version, value, expires_at AS expiresAt";
const LOAD_ONE = `SELECT ${COLUMNS} FROM lockstep_records WHERE key = ?`;
const LIST = `SELECT key, ${COLUMNS} FROM lockstep_records WHERE subject = ?`;

type Row = Record & { key: string };

export interface SQLiteStoreOptions {
  /**
   * `false` gives up `synchronous=FULL`: a power cut may then lose the last acknowledged writes, so that a revoked or
   * rotated token comes back to life.
   */
  durable?: boolean;
  /** How long a write waits for those of other processes (5). */
  busySeconds?: number;
  /** The SQLite library; left out: `node:sqlite` where Node has it (22.16 and newer), else `better-sqlite3`. */
  driver?: DriverName;
}

/** Records in one SQLite file, created with mode 0600. */
export class SQLiteStore implements Store {
  readonly path: string;
  private readonly file: SQLiteFile;
  private readonly thread: WriterThread;
  private reader: Connection | undefined;
  private closed: Promise<void> | undefined;

  /** Opens the file, and makes it where there is none. Throws ConfigurationError where that cannot be. */
  constructor(path: string | URL, options: SQLiteStoreOptions = {}) {
    this.path = typeof path === "string" ? path : fileURLToPath(path);
    const { durable = true, busySeconds = 5 } = options;
    const place: Place = { path: resolve(this.path), durable, busySeconds, driver: driver(options.driver).name };
    if (!existsSync(WORKER)) {
      throw new ConfigurationError("store", `${WORKER} is missing; leave lockstep-oauth out of the bundle (external)`);
    }
    if (!durable) warn(`${this.path}: durable is false, so a power cut may bring revoked and rotated tokens back to life`);
    this.file = new SQLiteFile(place);
    this.file.create();
    this.thread = new WriterThread(place);
  }

  /** Returns the record, or undefined, of each key in order. Throws StoreError when it cannot be read. */
  load(keys: readonly string[]): (Record | undefined)[] {
    return this.read((reader) => {
      if (keys.length === 1) return [reader.get(LOAD_ONE, keys[0]!) as Record | undefined];
      const marks = Array.from(keys, () => "?").join(",");
      const rows = reader.all(`SELECT key, ${COLUMNS} FROM lockstep_records WHERE key IN (${marks})`, ...keys) as Row[];
      const found = new Map(rows.map((row) => [row.key, record(row)]));
      return keys.map((key) => found.get(key));
    });
  }

  /** Puts one record if the key is as expected. It is on the disk when the promise is settled. */
  async commit(write: Write): Promise<Committed> {
    if (this.closed === undefined) return this.thread.commit(write);
    report(`${this.path} cannot be opened, nothing was written: the store is closed`);
    return "conflict";
  }

  /** Returns keys and records labelled with the subject. Throws StoreError when they cannot be read. */
  list(subject: string): [key: string, record: Record][] {
    return this.read((reader) => (reader.all(LIST, subject) as Row[]).map((row) => [row.key, record(row)]));
  }

  /** Removes records that expired more than a day before `now`; returns how many. */
  async purge(now: number): Promise<number> {
    if (this.closed !== undefined) throw new StoreError(`${this.path} cannot be purged: the store is closed`);
    return this.thread.purge(now);
  }

  /** Closes the file. Commits under way are waited for; later calls fail. */
  close(): Promise<void> {
    this.closed ??= this.thread.close().finally(() => {
      this.reader?.close();
      this.reader = undefined;
    });
    return this.closed;
  }

  private read<T>(what: (reader: Connection) => T): T {
    try {
      if (this.closed !== undefined) throw new Error("the store is closed");
      return what((this.reader ??= this.file.openReader()));
    } catch (error) {
      throw new StoreError(`${this.path} cannot be read: ${reason(error)}`, { cause: error });
    }
  }
}

function record({ version, value, expiresAt }: Row): Record {
  return { version, value, expiresAt };
}
