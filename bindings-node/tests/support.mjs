// What several test files share.

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Requires from `dist`, what is exported and what is not. */
export const require = createRequire(new URL("../dist/index.js", import.meta.url));
export const NEVER = 2 ** 53 - 1;
export const DAY = 86_400;

export const bytes = (text) => Buffer.from(String(text));
export const now = () => Math.floor(Date.now() / 1000);
export const turn = () => new Promise((settle) => setImmediate(settle));
export const after = (milliseconds) => new Promise((settle) => setTimeout(settle, milliseconds));

/** Makes a directory that goes with the test. */
export function directory(context) {
  const path = mkdtempSync(join(tmpdir(), "lockstep-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Collects what the package tells the operator during the test. */
export function failures(context) {
  const told = [];
  const listen = ({ message }) => told.push(message);
  const { subscribe, unsubscribe } = require("node:diagnostics_channel");
  subscribe("lockstep-oauth:failure", listen);
  context.after(() => unsubscribe("lockstep-oauth:failure", listen));
  return told;
}

/** The SQLite libraries that are there. Node 20 has none of its own. */
export const DRIVERS = ["node:sqlite", "better-sqlite3"].filter((name) => {
  try {
    require("./stores/sqlite_driver").driver(name);
    return true;
  } catch {
    return false;
  }
});
