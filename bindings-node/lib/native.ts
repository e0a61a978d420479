/** The core, as the native module has it: loaded once, and its errors made ours. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type * as Native from "../native/index";
import { ConfigurationError, MisuseError } from "./errors";

export type {
  Admission,
  ConsentQuestion,
  Decision,
  Exchange,
  FetchRequest,
  Gate,
  GrantSummary,
  HttpResponse,
  Question,
  Refusal,
  SignInQuestion,
} from "../native/index";

/** How builds for one platform and processor differ. */
const VARIANTS: { [platform: string]: string[] } = { linux: ["-gnu", "-musl"], win32: ["-msvc"] };

const native = load();

/** An authorization server together with the resources it protects. */
export class Server extends native.Server {
  constructor(config: string, keys: string) {
    try {
      super(config, keys);
    } catch (error) {
      throw ours(error);
    }
  }
}

/** The counters that protect us and others. One a process. */
export const Budget = native.Budget;
export type Budget = Native.Budget;

/** The text of a new key ring that signs from `now` on; JWTs by `ES256` or `EdDSA`. */
export function keysGenerate(now: number, seed: Uint8Array, algorithm: string): string {
  return converted(() => native.keysGenerate(now, seed, algorithm));
}

/** The text of the ring with one more key of each sort. */
export function keysRotate(text: string, now: number, seed: Uint8Array, leadSeconds: number, keepSeconds: number): string {
  return converted(() => native.keysRotate(text, now, seed, leadSeconds, keepSeconds));
}

/** Whether the rule lets a fetch connect to this numeric address. */
export function addressPermitted(address: string, rule: string): boolean {
  return converted(() => native.addressPermitted(address, rule));
}

/** The refusal of that id; undefined when there is none. */
export function explain(id: string): Native.Refusal | undefined {
  return native.explain(id) ?? undefined;
}

/** Every refusal there is. */
export function refusals(): Native.Refusal[] {
  return native.refusals();
}

/** Calls the core, and throws its complaints as errors of ours. */
export function converted<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw ours(error);
  }
}

function ours(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const [kind, at = "", ...message] = error.message.split("\n");
  if (kind === "configuration") return new ConfigurationError(at, message.join("\n"));
  if (kind === "misuse") return new MisuseError(at, message.join("\n"));
  return error;
}

function load(): typeof Native {
  const target = `${process.platform}-${process.arch}`;
  const places = VARIANTS[process.platform] ?? [""];
  let why: unknown;
  for (const variant of places) {
    const file = join(__dirname, "..", "native", `lockstep_oauth.${target}${variant}.node`);
    if (!existsSync(file)) continue;
    try {
      return require(file) as typeof Native;
    } catch (error) {
      why = error; // made for the other C library
    }
  }
  throw new Error(
    `lockstep-oauth has no native module that loads on ${target}; with Rust installed, \`npm run build:native\` in bindings-node makes one`,
    { cause: why },
  );
}
