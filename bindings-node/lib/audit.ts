/**
 * What happened, for the operator: a hook, and the diagnostics channel `lockstep-oauth:audit`.
 *
 * Every exchange tells events with a stable id (`token.refreshed`, or the id of a refusal: see `explain`). They never hold
 * a token, code, secret or verifier.
 */

import { channel } from "node:diagnostics_channel";
import { ConfigurationError } from "./errors";
import type { Exchange } from "./native";
import { report } from "./report";
import type { AuditEvent } from "./types";

const audit = channel("lockstep-oauth:audit");

/** Where the events of every exchange go. */
export class AuditTrail {
  readonly #hook: ((event: AuditEvent) => void) | undefined;

  constructor(hook: ((event: AuditEvent) => void) | undefined) {
    if (hook !== undefined && typeof hook !== "function") throw new ConfigurationError("onEvent", "a function of one event");
    this.#hook = hook;
  }

  /** Tells each event of an exchange that has ended. A hook that throws is reported and never breaks a request. */
  tell(exchange: Exchange): void {
    if (this.#hook === undefined && !audit.hasSubscribers) return;
    for (const text of exchange.events()) {
      const { event: id, at, ...details } = JSON.parse(text) as { event: string; at: number; [name: string]: string | number };
      const event = { id, at, details: details as { [name: string]: string } };
      audit.publish(event);
      try {
        this.#hook?.(event);
      } catch (error) {
        report(`onEvent threw for ${id}; the request goes on`, error);
      }
    }
  }
}
