/** The check of one route. */

import { ALLOWED } from "./drive";
import { now, seed } from "./environment";
import type { Lockstep } from "./lockstep";
import type { Exchange, Gate as NativeGate } from "./native";
import type { Identity } from "./types";

/** What a check found: who asks, or the exchange with what to answer instead. */
export type Checked = { readonly identity: Identity } | { readonly refused: Exchange };

/** How long a token that was verified by its key alone is known again, in seconds. */
const KNOWN_SECONDS = 60;
/** So many such tokens are known at a time. */
const KNOWN_TOKENS = 1_000;

interface Known {
  /** The identity as JSON: read anew for each request, so that no handler can change it for the next. */
  readonly text: string;
  /** Seconds since 1970. */
  readonly from: number;
  readonly until: number;
}

/** Checks bearer tokens for one resource and its scopes. */
export class Gate {
  readonly #auth: Lockstep;
  readonly #native: NativeGate;
  readonly #known = new Map<string, Known>();

  constructor(auth: Lockstep, native: NativeGate) {
    this.#auth = auth;
    this.#native = native;
  }

  /** Checks a request: the values of its `Authorization` headers, its query, its peer, and what the host's functions get. */
  check(credentials: readonly string[], query: string, peer: string, request: unknown): Checked | Promise<Checked> {
    const at = now();
    const single = credentials.length === 1 && query === "" ? (credentials[0] as string) : undefined;
    if (single !== undefined) {
      const known = this.#known.get(single);
      if (known !== undefined && known.from <= at && at < known.until) return { identity: JSON.parse(known.text) as Identity };
    }
    const exchange = this.#native.check(single ?? credentials.join("\n"), credentials.length, query, peer, at, seed());
    if (typeof exchange === "string") {
      const identity = JSON.parse(exchange) as Identity;
      if (single !== undefined) this.#remember(single, exchange, Math.min(identity.expiresAt, at + KNOWN_SECONDS), at);
      return { identity };
    }
    const step = this.#auth.finish(exchange, request);
    return typeof step === "number" ? checked(exchange, step) : step.then((step) => checked(exchange, step));
  }

  /**
   * Remembers a token for which nothing had to be asked: a JWT, whose check is a function of the token and the clock alone.
   * A signature costs as much as all the rest of a request. One that storage or the host has to vouch for is asked about
   * every time.
   */
  #remember(credential: string, text: string, until: number, from: number): void {
    if (this.#known.size >= KNOWN_TOKENS) this.#known.delete(this.#known.keys().next().value as string);
    this.#known.delete(credential); // so that it is the newest
    this.#known.set(credential, { text, from, until });
  }
}

function checked(exchange: Exchange, step: number): Checked {
  return step === ALLOWED ? { identity: JSON.parse(exchange.identity()) as Identity } : { refused: exchange };
}
