/** Where the server's keys come from: the configuration, the environment or a file, and never the database. */

import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { now, seed } from "./environment";
import { ConfigurationError } from "./errors";
import { keysGenerate, keysRotate } from "./native";
import { warn } from "./report";

/** The file that a development server makes for itself. */
export const KEYS_FILE = ".lockstep-keys.json";
export const LEAD_SECONDS = 3_600;
/** The longest grant by default (180 days), and a day. */
export const KEEP_SECONDS = 181 * 86_400;

const HOW =
  "no keys are configured. Make them once with `npx lockstep-oauth keys new` and give the text to every process as " +
  "LOCKSTEP_KEYS, or the path of a file with it as LOCKSTEP_KEYS_FILE, or pass keys: ... . Keep it as you keep a database password";

/** The key ring's text, or where a file with it is. */
export type Keys = string | { readonly file: string } | URL;

/**
 * Returns the text of the key ring.
 *
 * `keys` is that text itself, or says which file has it; otherwise LOCKSTEP_KEYS (the text) or LOCKSTEP_KEYS_FILE (a
 * path). Only for an issuer that is plain http on loopback is a file made, readable by its owner alone, in the directory
 * of `beside` (the database's path) or the working directory. Throws ConfigurationError.
 */
export function loadKeys(
  keys: Keys | null | undefined,
  env: { readonly [name: string]: string | undefined },
  issuer: string,
  beside?: string,
): string {
  if (typeof keys === "string") {
    if (!keys.trim()) throw new ConfigurationError("keys", "the text is empty; make keys with `npx lockstep-oauth keys new`");
    return ring("keys", keys, "keys: { file: path }");
  }
  if (keys !== undefined && keys !== null) return read(pathOf(keys), "keys");
  const { LOCKSTEP_KEYS: text = "", LOCKSTEP_KEYS_FILE: path = "" } = env;
  if (text.trim() && path) {
    throw new ConfigurationError("keys", "both LOCKSTEP_KEYS and LOCKSTEP_KEYS_FILE are set; keep one of them");
  }
  if (text.trim()) return ring("LOCKSTEP_KEYS", text, "LOCKSTEP_KEYS_FILE");
  if (path) return read(path, "LOCKSTEP_KEYS_FILE");
  if (!isLoopbackHttp(issuer)) throw new ConfigurationError("keys", HOW);
  return developmentKeys(beside === undefined ? KEYS_FILE : join(dirname(beside), KEYS_FILE));
}

/** Whether the issuer is plain http on this machine, as only development servers are. */
export function isLoopbackHttp(issuer: string): boolean {
  const host = /^http:\/\/(\[[^\]]*\]|[^/?#:@[\]]*)(?::\d*)?(?:[/?#]|$)/i.exec(issuer)?.[1]?.toLowerCase();
  if (host === undefined) return false;
  // As it is written: `127.1` is a spelling that not everybody reads alike.
  if (/^127(\.(0|[1-9]\d{0,2})){3}$/.test(host)) return host.split(".").every((part) => Number(part) <= 255);
  return host === "localhost" || (host.startsWith("[") && canonical(host) === "[::1]");
}

/** Returns the text of a new key ring, which signs from now on; JWTs by `ES256` or `EdDSA`. Throws MisuseError. */
export function newKeys(algorithm = "ES256"): string {
  return keysGenerate(now(), seed(), algorithm);
}

/**
 * Returns the ring with new keys that verify at once and sign `leadSeconds` from now. Throws ConfigurationError for what is
 * no ring.
 *
 * Give the text to every process within that time. The old keys verify for `keepSeconds` after that, which must be at
 * least as long as the longest grant.
 */
export function rotatedKeys(text: string, leadSeconds = LEAD_SECONDS, keepSeconds = KEEP_SECONDS): string {
  return keysRotate(text, now(), seed(), leadSeconds, keepSeconds);
}

/**
 * Writes a file that only its owner can read, whole or not at all. Throws what the file system throws: EEXIST where there
 * is one, unless it may be replaced.
 */
export function writePrivateFile(path: string, text: string, { replace = false } = {}): void {
  const temporary = join(dirname(path), `.lockstep-${Buffer.from(seed()).toString("hex").slice(0, 16)}`);
  const file = openSync(temporary, "wx", 0o600);
  try {
    try {
      writeFileSync(file, `${text}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    if (replace) renameSync(temporary, path);
    else linkSync(temporary, path);
  } finally {
    rmSync(temporary, { force: true });
  }
}

function pathOf(keys: unknown): string {
  if (keys instanceof URL && keys.protocol === "file:") return fileURLToPath(keys);
  const { file } = keys as { file?: unknown };
  if (typeof file === "string") return file;
  const kind = typeof keys === "object" ? (keys?.constructor?.name ?? "an object") : typeof keys;
  throw new ConfigurationError("keys", `the key ring's text, or { file: path } for a file with it, not ${kind}`);
}

/** Returns the text, unless it cannot be a ring: most often it is the path of one. It may be secret, so it is not repeated. */
function ring(field: string, text: string, forAFile: string): string {
  if (text.trimStart().startsWith("{")) return text;
  throw new ConfigurationError(field, `this is not the text of a key ring; for the path of a file use ${forAFile}`);
}

function read(path: string, field: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const why = `${path} cannot be read: ${(error as Error).message}`;
    throw new ConfigurationError(field, `${why}; make the file with \`npx lockstep-oauth keys new --out ${path}\``, { cause: error });
  }
}

function developmentKeys(path: string): string {
  if (!existsSync(path)) {
    try {
      writePrivateFile(path, newKeys());
      warn(`made new keys in ${path}, for development. Keep the file out of version control; in production set LOCKSTEP_KEYS`);
    } catch (error) {
      // Another process may have been first; then its keys are ours.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new ConfigurationError("keys", `no keys are configured, and ${path} cannot be made: ${(error as Error).message}`, { cause: error });
      }
    }
  }
  return read(path, "keys");
}

function canonical(host: string): string | undefined {
  try {
    return new URL(`http://${host}`).hostname;
  } catch {
    return undefined;
  }
}
