/**
 * Stores: two operations, `load` and a conditional `commit`. A method may return its answer or a promise of it.
 *
 * The contract, which `lockstep-oauth/store-check` holds any store to:
 *
 * - `load(keys)` returns, for each key in order, its record or undefined. What an acknowledged commit wrote is seen by
 *   every later load, of any process. An expired record may be returned.
 * - `commit(write)` puts one record if, and only if, the key is absent (`expect` is undefined) or exactly at version
 *   `expect`, in one atomic step, and says what happened: `"committed"` (applied, durably), `"conflict"` (nothing was
 *   written) or `"unknown"` (it may have been). It never retries by itself.
 * - Nothing else changes a record. One may be removed a day after its `expiresAt`, and not before.
 * - `list(subject)` is for pages of the host: keys and records whose last write carried that subject.
 */

/** A record as a store holds it. */
export interface Record {
  /** A whole number below 2^53. */
  version: number;
  /** At most 64 KiB, which only the core reads. */
  value: Uint8Array;
  /** Seconds since 1970. */
  expiresAt: number;
}

/** One conditional write of one record. */
export interface Write extends Record {
  key: string;
  /** The version that must be there; undefined: the key must be absent. */
  expect?: number | undefined;
  /** Labels for `list`. */
  subject?: string | undefined;
  client?: string | undefined;
}

export type Committed = "committed" | "conflict" | "unknown";

type Promised<T> = T | Promise<T>;

/** A store. See the contract above. */
export interface Store {
  /** Returns the record, or undefined, of each key in order. Throws StoreError when it cannot be read. */
  load(keys: readonly string[]): Promised<readonly (Record | undefined)[]>;
  /** Puts one record if the key is as expected. */
  commit(write: Write): Promised<Committed>;
  /** Returns keys and records labelled with the subject. */
  list(subject: string): Promised<readonly (readonly [key: string, record: Record])[]>;
  /** Removes records that expired more than a day before `now` (seconds since 1970); returns how many. */
  purge(now: number): Promised<number>;
  /** Lets go of files and connections. */
  close(): Promised<void>;
}

/** How long a record outlives its expiry before a store may remove it. */
export const KEPT_SECONDS = 86_400;
