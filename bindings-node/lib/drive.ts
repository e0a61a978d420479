/**
 * The driver: one loop that serves every exchange. It stays synchronous for as long as every answer is there at once.
 *
 * A host's world that breaks (a store that cannot be read, a decision that throws) is reported here and answered by the
 * core, with 503 or out of its cache. What the core asks and a host answers is data; nothing is decided here.
 */

import { FetchError, OverBudgetError, StoreError, Undecided } from "./errors";
import type { Budget, Decision, Exchange, FetchRequest, Question } from "./native";
import { report } from "./report";
import type { Committed, Record, Store } from "./stores/store";

/** What came of a fetch: status, raw header names and values by turns, body. */
export interface Fetched {
  status: number;
  headers: readonly string[];
  body: Uint8Array;
}

/** Sends the core's requests to other servers, within their limits. */
export interface Fetcher {
  /**
   * Resolves to the answer, or rejects with FetchError. Asks `admit` directly before a request is really sent, and rejects
   * with OverBudgetError when it says no.
   */
  fetch(request: FetchRequest, admit: () => boolean): Promise<Fetched>;
}

/** What the driver needs. */
export interface Host {
  readonly store: Store;
  readonly fetcher: Fetcher;
  readonly budget: Budget;
  /** Answers a question. What it throws counts as "could not decide" and is reported, unless it is an Undecided. */
  decide(question: Question): Decision | Promise<Decision>;
}

/** The steps of an exchange, as the native module numbers them. */
export const LOAD = 0;
export const COMMIT = 1;
export const FETCH = 2;
export const DECIDE = 3;
export const ANSWERED = 4;
export const ALLOWED = 5;
export const OPERATED = 6;

/** Moves an exchange to its end. Returns the last step, or a promise of it where something had to be waited for. */
export function drive(exchange: Exchange, host: Host): number | Promise<number> {
  return along(exchange, host, exchange.step);
}

function along(exchange: Exchange, host: Host, start: number): number | Promise<number> {
  let step = start;
  while (step < ANSWERED) {
    const at = step;
    try {
      const told = ask(exchange, host, at);
      if (told instanceof Promise) return waited(exchange, host, at, told);
      step = answer(exchange, at, told);
    } catch (failure) {
      step = failed(exchange, at, failure);
    }
  }
  return step;
}

async function waited(exchange: Exchange, host: Host, at: number, telling: Promise<Told>): Promise<number> {
  let step: number;
  try {
    step = answer(exchange, at, await telling);
  } catch (failure) {
    step = failed(exchange, at, failure);
  }
  return along(exchange, host, step);
}

type Told = readonly (Record | undefined)[] | Committed | Fetched | Decision;

/** Asks the host what the exchange waits for. */
function ask(exchange: Exchange, host: Host, step: number): Told | Promise<Told> {
  switch (step) {
    case LOAD:
      return host.store.load(exchange.keys());
    case COMMIT:
      return host.store.commit(exchange.write());
    case FETCH: {
      const request = exchange.request();
      const { key, limit, periodSeconds } = request.admission;
      return host.fetcher.fetch(request, () => host.budget.admit(key, limit, periodSeconds, exchange.now));
    }
    default: {
      const question = exchange.question();
      if (question.admit === undefined) return host.decide(question);
      const { key, limit, periodSeconds } = question.admit;
      return { kind: host.budget.admit(key, limit, periodSeconds, exchange.now) ? "allow" : "refuse" };
    }
  }
}

/** Tells the exchange. An answer of the wrong shape is thrown, and the exchange stays where it was. */
function answer(exchange: Exchange, step: number, told: Told): number {
  switch (step) {
    case LOAD:
      return exchange.loaded(told as Record[]);
    case COMMIT:
      return exchange.committed(told as Committed);
    case FETCH: {
      const { status, headers, body } = told as Fetched;
      return exchange.fetched(status, headers.join("\n"), headers.length, body);
    }
    default:
      return exchange.decided(told as Decision);
  }
}

/** Tells the core that the host's world failed. It is the core that knows what that means for the request. */
function failed(exchange: Exchange, step: number, failure: unknown): number {
  const why = failure instanceof Error ? failure.message : String(failure);
  switch (step) {
    case LOAD:
      report(`the store could not be read: ${why}`, failure instanceof StoreError ? undefined : failure);
      return exchange.loadFailed();
    case COMMIT:
      // INVARIANT: whatever was thrown, the write may have been applied.
      report(`a commit failed: ${why}`, failure instanceof StoreError ? undefined : failure);
      return exchange.committed("unknown");
    case FETCH:
      if (failure instanceof OverBudgetError) return exchange.fetchOverBudget();
      if (!(failure instanceof FetchError)) report("a fetch failed", failure);
      return exchange.fetchFailed(why);
    default:
      if (!(failure instanceof Undecided)) report(`a decision failed: ${why}`, failure);
      return exchange.decideFailed();
  }
}
