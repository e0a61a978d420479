/**
 * Where the failures of the host's own world are told: the diagnostics channel `lockstep-oauth:failure`, and the standard
 * error stream while nobody listens to it.
 */

import { channel } from "node:diagnostics_channel";

/** One failure: a sentence, and what was thrown where that says more. */
export interface Failure {
  readonly message: string;
  readonly cause: unknown;
}

const failures = channel("lockstep-oauth:failure");

/** Tells a failure. */
export function report(message: string, cause?: unknown): void {
  if (failures.hasSubscribers) {
    failures.publish({ message, cause } satisfies Failure);
  } else {
    console.error(`lockstep-oauth: ${message}`, ...(cause === undefined ? [] : [cause]));
  }
}

/** Tells what an operator should know once, and what breaks nothing. */
export function warn(message: string): void {
  process.emitWarning(message, { type: "LockstepWarning" });
}
