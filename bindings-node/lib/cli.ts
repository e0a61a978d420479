#!/usr/bin/env node
/** `npx lockstep-oauth`: makes, rotates and shows keys, makes client secrets, and explains refusals. */

import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ParseArgsConfig, parseArgs } from "node:util";
import { now } from "./environment";
import { KEEP_SECONDS, LEAD_SECONDS, newKeys, rotatedKeys, writePrivateFile } from "./keys";
import { explain } from "./native";

const NEVER = 2 ** 53 - 1;

const USAGE = `usage: npx lockstep-oauth COMMAND

  keys new [--out FILE] [--jwt-algorithm ES256|EdDSA]
      Make a key ring and print it, or write it to a file, readable by its owner alone; never over a file.
      JWT access tokens are signed by ES256 unless EdDSA is asked for.
  keys rotate FILE [--lead-seconds N] [--keep-seconds N] [--in-place]
      Add new keys to a ring; the old ones go on verifying. The new keys begin to sign after the lead (${LEAD_SECONDS});
      the old ones verify for as long as they are kept (${KEEP_SECONDS}). --in-place replaces the file instead of printing.
  keys show FILE
      List the keys of a ring, without their secrets.
  keys secret
      Print a secret for a confidential client.
  explain ID
      Say what a refusal means and what to do; an ID is such as token.code.reused.

FILE may be - for the standard input.
`;

/** What was typed is not a command. */
class Misused extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;
type Values = { readonly [name: string]: string | boolean | undefined };

interface Command {
  readonly options?: Options;
  /** The name of what must follow. */
  readonly operand?: string;
  run(values: Values, operand: string): void;
}

const COMMANDS: { readonly [name: string]: Command } = {
  "keys new": {
    options: { out: { type: "string" }, "jwt-algorithm": { type: "string", default: "ES256" } },
    run: make,
  },
  "keys rotate": {
    options: {
      "lead-seconds": { type: "string", default: String(LEAD_SECONDS) },
      "keep-seconds": { type: "string", default: String(KEEP_SECONDS) },
      "in-place": { type: "boolean", default: false },
    },
    operand: "FILE",
    run: rotate,
  },
  "keys show": { operand: "FILE", run: show },
  "keys secret": { run: () => print(randomBytes(32).toString("base64url")) },
  explain: { operand: "ID", run: say },
};

/** Runs the command line; returns the exit code. */
export function main(given: readonly string[]): number {
  if (given.some((one) => one === "-h" || one === "--help")) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    run(given);
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    process.stderr.write(error instanceof Misused ? `${USAGE}\nerror: ${error.message}\n` : `error: ${error.message}\n`);
    return error instanceof Misused ? 2 : 1;
  }
}

function run(given: readonly string[]): void {
  const words = given[0] === "keys" ? 2 : 1;
  const name = given.slice(0, words).join(" ");
  if (!Object.hasOwn(COMMANDS, name)) throw new Misused(name ? `there is no command \`${name}\`` : "a command is needed");
  const { options = {}, operand, run } = COMMANDS[name] as Command;
  const { values, positionals } = understood(given.slice(words), options);
  const count = operand === undefined ? 0 : 1;
  if (positionals.length < count) throw new Misused(`${name} needs ${operand}`);
  if (positionals.length > count) throw new Misused(`${name} does not understand \`${positionals[count]}\``);
  run(values, positionals[0] ?? "");
}

function understood(given: string[], options: Options): { values: Values; positionals: string[] } {
  try {
    const { values, positionals } = parseArgs({ args: given, options, allowPositionals: true, strict: true });
    return { values: values as Values, positionals };
  } catch (error) {
    throw new Misused((error as Error).message);
  }
}

function make(values: Values): void {
  const algorithm = String(values["jwt-algorithm"]);
  if (algorithm !== "ES256" && algorithm !== "EdDSA") throw new Misused(`--jwt-algorithm is ES256 or EdDSA, not \`${algorithm}\``);
  if (values.out === undefined) {
    print(newKeys(algorithm));
    return;
  }
  const out = String(values.out);
  if (existsSync(out)) throw new Error(`${out} exists, and a key ring is not written over; rotate it, or name another file`);
  const directory = dirname(resolve(out));
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`there is no directory ${directory}`);
  writePrivateFile(out, newKeys(algorithm));
  tell(`wrote ${out}; set LOCKSTEP_KEYS_FILE=${out}`);
}

function rotate(values: Values, file: string): void {
  const lead = seconds(values, "lead-seconds");
  const keep = seconds(values, "keep-seconds");
  if (values["in-place"] && file === "-") throw new Error("--in-place needs a file");
  const ring = rotatedKeys(text(file), lead, keep);
  if (!values["in-place"]) {
    print(ring);
    return;
  }
  writePrivateFile(file, ring, { replace: true });
  tell(`replaced ${file}; restart every process ${lead ? `within ${lead} seconds` : "now"}`);
}

interface Entry {
  readonly signs_from: number;
  readonly verifies_until?: number;
  readonly jwk?: { readonly kid?: string };
}

function show(_: Values, file: string): void {
  const given = text(file);
  rotatedKeys(given); // refuses whatever is not a ring
  const ring = JSON.parse(given) as { readonly [kind: string]: readonly Entry[] | undefined };
  const at = now();
  for (const [kind, name] of [["keys", "server"], ["jwt", "jwt"]] as const) {
    const entries = (ring[kind] ?? []).map((entry) => ({ ...entry, until: entry.verifies_until ?? NEVER }));
    // Of the keys that may sign, the newest does.
    const newest = Math.max(...entries.filter((entry) => entry.signs_from <= at && at < entry.until).map((entry) => entry.signs_from));
    entries.forEach(({ signs_from: begins, until, jwk }, index) => {
      const state = until <= at ? "expired" : begins === newest ? "signs" : "verifies";
      const label = (jwk?.kid ?? String(index + 1)).padEnd(45);
      print(`${name.padEnd(7)} ${label} ${state.padEnd(9)} signs from ${time(begins)}, verifies until ${time(until)}`);
    });
  }
}

function say(_: Values, id: string): void {
  const refusal = explain(id);
  if (refusal === undefined) throw new Error(`there is no refusal \`${id}\``);
  const { status, error, sentence, advice, specification } = refusal;
  print(`${id}: ${status} ${error}\n${sentence}\n${advice}\nSee ${specification}.`);
}

function seconds(values: Values, name: string): number {
  const given = String(values[name]);
  if (!/^\d+$/.test(given)) throw new Misused(`--${name}: a whole number of seconds, not '${given}'`);
  return Number(given);
}

function time(when: number): string {
  return when >= NEVER ? "ever" : new Date(when * 1000).toISOString().replace(".000Z", "Z");
}

function text(file: string): string {
  return readFileSync(file === "-" ? 0 : file, "utf8");
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}

if (require.main === module) process.exitCode = main(process.argv.slice(2));
