/** A store as the rules of the check kit see it. */

import { LockstepError } from "../errors";
import type { Committed, Record, Store, Write } from "./store";

/** From a store, another one over the same data. */
export type Twin<S extends Store> = (store: S) => S | Promise<S>;

/** A store breaks a rule. Do not use it: tokens would be redeemed twice, or revoked ones would live on. */
export class BrokenStore extends LockstepError {}

/** Throws BrokenStore unless it holds. */
export function ensure(holds: boolean, message: string): asserts holds {
  if (!holds) throw new BrokenStore(message);
}

/** Throws BrokenStore unless the record is what was written. */
export function same(record: Record | undefined, write: Write): void {
  ensure(record !== undefined, `the record of ${JSON.stringify(write.key)} is gone`);
  ensure(record.version === write.version, `the version is ${record.version}, not ${write.version}: stores must not number`);
  ensure(Buffer.compare(record.value, write.value) === 0, "the value came back changed");
  ensure(record.expiresAt === write.expiresAt, `expiresAt is ${record.expiresAt}, not ${write.expiresAt}`);
}

/** Calls a store, and looks at the form of every answer. */
export class Checked {
  private readonly opened: Store[];

  constructor(
    readonly store: Store,
    private readonly makeTwin: Twin<Store> | undefined,
  ) {
    this.opened = [store];
  }

  /** Opens another store over the same data; the same one where there is no way to. */
  async twin(): Promise<Store> {
    if (this.makeTwin === undefined) return this.store;
    const twin = await this.makeTwin(this.store);
    this.opened.push(twin);
    return twin;
  }

  async load(keys: readonly string[], of: Store = this.store): Promise<(Record | undefined)[]> {
    const records = await of.load(keys);
    ensure(Array.isArray(records), `load returned ${shown(records)}, not an array`);
    ensure(records.length === keys.length, `load returned ${records.length} records for ${keys.length} keys`);
    for (const record of records) {
      if (record === undefined) continue;
      ensure(typeof record === "object" && record !== null, `load returned ${shown(record)}, not a record or undefined`);
      const { version, value, expiresAt } = record;
      ensure(typeof version === "number", `load returned a version that is ${shown(version)}, not a number`);
      ensure(value instanceof Uint8Array, `load returned a value that is ${shown(value)}, not a Uint8Array`);
      ensure(typeof expiresAt === "number", `load returned an expiresAt that is ${shown(expiresAt)}, not a number`);
    }
    return [...records];
  }

  async one(key: string, of: Store = this.store): Promise<Record | undefined> {
    return (await this.load([key], of))[0];
  }

  async commit(write: Write, of: Store = this.store): Promise<Committed> {
    const outcome = await of.commit(write);
    ensure(["committed", "conflict", "unknown"].includes(outcome), `commit returned ${shown(outcome)}`);
    return outcome;
  }

  async list(subject: string): Promise<Map<string, Record>> {
    const listed = await this.store.list(subject);
    const found = new Map(listed);
    ensure(found.size === listed.length, "list returned a key twice");
    return found;
  }

  async purge(now: number): Promise<number> {
    return this.store.purge(now);
  }

  async end(): Promise<void> {
    for (const store of this.opened) await store.close();
  }

  // What the rules say, in their words.

  async commits(write: Write, of: Store = this.store): Promise<void> {
    const outcome = await this.commit(write, of);
    ensure(outcome === "committed", `a write at the expected version was answered ${outcome}`);
  }

  async conflicts(write: Write): Promise<void> {
    const before = await this.one(write.key);
    const kept = before && { ...before, value: Uint8Array.from(before.value) };
    const outcome = await this.commit(write);
    ensure(outcome === "conflict", `a write that did not expect what is there was answered ${outcome}`);
    const after = await this.one(write.key);
    if (kept === undefined) ensure(after === undefined, "a conflict created a record");
    else same(after, { ...kept, key: write.key });
  }

  async holds(write: Write, of: Store = this.store): Promise<void> {
    same(await this.one(write.key, of), write);
  }
}

function shown(value: unknown): string {
  return typeof value === "object" && value !== null ? (value.constructor?.name ?? "an object") : JSON.stringify(value) ?? String(value);
}
