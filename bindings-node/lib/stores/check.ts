/**
 * The storage check kit: holds any store to the contract of `lockstep-oauth/stores`.
 *
 * With `node:test`, or any other runner, each rule as a test of its own:
 *
 *     for (const rule of RULES) test(rule.name, () => rule.check(() => new MyStore(emptyDatabase())));
 *
 * Without: `await checkStore(() => new MyStore(emptyDatabase()))`. The function that is given opens a store with nothing in
 * it. Give `twin` too where several processes share the data: from a store it makes another one over the same data.
 */

import { RULES as KEPT, BrokenStore } from "./check_rules";
import { Checked, type Twin } from "./check_store";
import type { Store } from "./store";

export { BrokenStore };

/** What a check can be told. */
export interface CheckOptions<S extends Store = Store> {
  /** From a store, another one over the same data. */
  twin?: Twin<S>;
}

type Promised<T> = T | Promise<T>;

/** One rule of the contract. */
export interface Rule {
  /** What it demands, in words. */
  readonly name: string;
  /** Rejects with BrokenStore unless the store keeps this rule. */
  check<S extends Store>(openEmpty: () => Promised<S>, options?: CheckOptions<S>): Promise<void>;
}

/** All of the contract. */
export const RULES: readonly Rule[] = Object.entries(KEPT).map(([name, holds]) => ({
  name,
  async check<S extends Store>(openEmpty: () => Promised<S>, options: CheckOptions<S> = {}): Promise<void> {
    const checked = new Checked(await openEmpty(), options.twin as Twin<Store> | undefined);
    try {
      await holds(checked);
    } catch (failure) {
      if (failure instanceof BrokenStore) {
        failure.message = `${name}: ${failure.message}`;
        throw failure;
      }
      throw new BrokenStore(`${name}: ${failure}`, { cause: failure });
    } finally {
      await checked.end();
    }
  },
}));

/** Holds a store to every rule; rejects with BrokenStore at the first that it breaks. */
export async function checkStore<S extends Store>(openEmpty: () => Promised<S>, options: CheckOptions<S> = {}): Promise<void> {
  for (const rule of RULES) await rule.check(openEmpty, options);
}
