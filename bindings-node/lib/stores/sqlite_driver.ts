/** The two SQLite libraries, `node:sqlite` and `better-sqlite3`, behind one small interface. */

import { pathToFileURL } from "node:url";
import { ConfigurationError } from "../errors";

export type DriverName = "node:sqlite" | "better-sqlite3";

/** What can be bound to a statement. Whole numbers up to 2^53 - 1 come back as they were. */
export type Value = string | number | Uint8Array | null;

/** One connection. A statement is prepared once. Every method throws what the library throws. */
export interface Connection {
  exec(sql: string): void;
  /** Returns the first row. */
  get(sql: string, ...values: Value[]): unknown;
  all(sql: string, ...values: Value[]): unknown[];
  /** Returns how many rows it changed. */
  run(sql: string, ...values: Value[]): number;
  close(): void;
}

/** One library. */
export interface Driver {
  readonly name: DriverName;
  /** Opens a file that is there, to read and write it; a file that vanished is an error and not an empty store. */
  open(path: string, busySeconds: number): Connection;
  /** Whether the error says that nothing was done because somebody else holds the file. */
  isBusy(error: unknown): boolean;
}

interface Statement {
  get(...values: Value[]): unknown;
  all(...values: Value[]): unknown[];
  run(...values: Value[]): { changes: number | bigint };
}

interface Database {
  exec(sql: string): unknown;
  prepare(sql: string): Statement;
  close(): unknown;
}

const BUSY = 5;
const LOCKED = 6;

/** Loads a library: the one that is named, or the one of Node itself where it has one. Throws ConfigurationError. */
export function driver(name: DriverName = nodeHasSQLite() ? "node:sqlite" : "better-sqlite3"): Driver {
  return name === "node:sqlite" ? nodeDriver() : betterDriver();
}

function nodeHasSQLite(): boolean {
  const [major, minor] = nodeVersion();
  return major >= 24 || (major === 22 && minor >= 16); // from there on it opens URIs and waits for others
}

function nodeVersion(): [major: number, minor: number] {
  const [major, minor] = process.versions.node.split(".").map(Number);
  return [major ?? 0, minor ?? 0];
}

function nodeDriver(): Driver {
  type Module = { DatabaseSync: new (path: string, options: { timeout: number }) => Database };
  let module: Module;
  try {
    module = require("node:sqlite") as Module;
  } catch (error) {
    throw new ConfigurationError("store", `Node ${process.versions.node} has no node:sqlite; use Node 22.16 or newer`, { cause: error });
  }
  return {
    name: "node:sqlite",
    open: (path, busySeconds) =>
      connection(new module.DatabaseSync(`${pathToFileURL(path).href}?mode=rw`, { timeout: Math.round(busySeconds * 1000) })),
    isBusy(error) {
      const code = ((error as { errcode?: unknown } | undefined)?.errcode as number | undefined) ?? 0;
      return (code & 0xff) === BUSY || (code & 0xff) === LOCKED;
    },
  };
}

function betterDriver(): Driver {
  type Options = { fileMustExist: boolean; timeout: number };
  let module: new (path: string, options: Options) => Database;
  let version: string;
  try {
    version = (require("better-sqlite3/package.json") as { version: string }).version;
    module = require("better-sqlite3") as typeof module;
  } catch (error) {
    const missing = (error as { code?: unknown }).code === "MODULE_NOT_FOUND";
    const why = missing ? "needs a SQLite library" : `cannot load better-sqlite3 (${(error as Error).message})`;
    throw new ConfigurationError("store", `Node ${process.versions.node} ${why}; ${howToGetOne()}`, { cause: error });
  }
  if (nodeVersion()[0] < 22 && Number.parseInt(version, 10) >= 13) {
    // It ends the process with a segmentation fault there.
    throw new ConfigurationError("store", `better-sqlite3 ${version} does not run on Node ${process.versions.node}; ${howToGetOne()}`);
  }
  return {
    name: "better-sqlite3",
    open: (path, busySeconds) => connection(new module(path, { fileMustExist: true, timeout: Math.round(busySeconds * 1000) })),
    isBusy(error) {
      const code = (error as { code?: unknown } | undefined)?.code;
      return typeof code === "string" && /^SQLITE_(BUSY|LOCKED)(_|$)/.test(code);
    },
  };
}

function howToGetOne(): string {
  const version = nodeVersion()[0] < 22 ? "better-sqlite3@12" : "better-sqlite3";
  return `\`npm install ${version}\`, or use Node 22.16 or newer, which has one itself`;
}

function connection(database: Database): Connection {
  const statements = new Map<string, Statement>();
  const prepared = (sql: string): Statement => {
    let statement = statements.get(sql);
    if (statement === undefined) statements.set(sql, (statement = database.prepare(sql)));
    return statement;
  };
  return {
    exec: (sql) => void database.exec(sql),
    get: (sql, ...values) => prepared(sql).get(...values),
    all: (sql, ...values) => prepared(sql).all(...values),
    run: (sql, ...values) => Number(prepared(sql).run(...values).changes),
    close: () => void database.close(),
  };
}
