/** The SQLite file that all hosts of Lockstep share: its schema, how it is made, and how a connection to it is opened. */

import { closeSync, openSync } from "node:fs";
import { ConfigurationError } from "../errors";
import { type Connection, type Driver, type DriverName, driver } from "./sqlite_driver";

/** Marks the file as ours ("LKST"), so that `file` and we can tell. */
export const APPLICATION_ID = 0x4c4b5354;
const SCHEMA_VERSION = 1;
/** How long a start may wait for other processes that create the same file. */
const START_MS = 15_000;
const AGAIN_MS = 10;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS lockstep_records (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    value BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    subject TEXT,
    client TEXT
);
CREATE INDEX IF NOT EXISTS lockstep_records_subject ON lockstep_records (subject) WHERE subject IS NOT NULL;
CREATE INDEX IF NOT EXISTS lockstep_records_expires_at ON lockstep_records (expires_at);
`;

/** What a thread must know to open the file. */
export interface Place {
  readonly path: string;
  readonly durable: boolean;
  readonly busySeconds: number;
  readonly driver: DriverName;
}

/** The file, as one thread sees it. */
export class SQLiteFile {
  readonly path: string;
  private readonly driver: Driver;

  constructor(private readonly place: Place) {
    this.path = place.path;
    this.driver = driver(place.driver);
  }

  /** Makes the file where there is none. Throws ConfigurationError where that cannot be. */
  create(): void {
    try {
      createPrivately(this.path);
      this.prepareFirst();
    } catch (error) {
      if (error instanceof ConfigurationError) throw error;
      throw new ConfigurationError("store", `${this.path} cannot be opened: ${(error as Error).message}`, { cause: error });
    }
  }

  openReader(): Connection {
    const reader = this.open();
    reader.exec("PRAGMA query_only = ON");
    return reader;
  }

  openWriter(): Connection {
    const writer = this.open();
    try {
      const { journal_mode } = writer.get("PRAGMA journal_mode = WAL") as { journal_mode: string };
      if (journal_mode !== "wal") {
        throw new ConfigurationError("store", `${this.path} cannot have a write-ahead log; put it on a local disk`);
      }
      writer.exec(`PRAGMA synchronous = ${this.place.durable ? "FULL" : "NORMAL"}`);
      return writer;
    } catch (error) {
      writer.close();
      throw error;
    }
  }

  isBusy(error: unknown): boolean {
    return this.driver.isBusy(error);
  }

  private open(): Connection {
    const connection = this.driver.open(this.path, this.place.busySeconds);
    // On macOS only this reaches the disk; elsewhere it does nothing.
    if (this.place.durable) connection.exec("PRAGMA fullfsync = ON");
    return connection;
  }

  private prepareFirst(): void {
    // Several processes may create the same file at once. SQLite does not let all of what they do wait in line: turning
    // the write-ahead log on, and the first transaction after it, may fail at once.
    const until = performance.now() + Math.max(this.place.busySeconds * 1000, START_MS);
    for (;;) {
      try {
        const writer = this.openWriter();
        try {
          this.prepare(writer);
        } finally {
          writer.close();
        }
        return;
      } catch (error) {
        if (!this.isBusy(error) || performance.now() > until) throw error;
      }
      sleep(AGAIN_MS);
    }
  }

  private prepare(writer: Connection): void {
    writer.exec("BEGIN IMMEDIATE");
    const { user_version } = writer.get("PRAGMA user_version") as { user_version: number };
    if (user_version > SCHEMA_VERSION) {
      throw new ConfigurationError("store", `${this.path} was written by a newer version of lockstep-oauth`);
    }
    if (user_version < SCHEMA_VERSION) {
      writer.exec(SCHEMA);
      writer.exec(`PRAGMA application_id = ${APPLICATION_ID}`);
      writer.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    }
    writer.exec("COMMIT"); // what does not come as far is undone when the connection is closed
  }
}

/** SQLite would create it readable for all; the log and the index beside it inherit the mode. */
function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
  } catch (error) {
    // A file that is there is not even opened: to close it again would drop the locks that other connections of this
    // process have on it.
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}

function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
