/** The rules of the check kit, each by what it demands. */

import { type Checked, ensure, same } from "./check_store";
import { type Committed, KEPT_SECONDS, type Store, type Write } from "./store";

export { BrokenStore } from "./check_store";

const NEVER = 2 ** 53 - 1;
const HOUR = 3_600;
const WRITERS = 8;
const ROUNDS = 25;
const PATIENCE_MS = 10_000;

const A = "AAAAAAAAAAA/grant/a";

export const RULES: { readonly [rule: string]: (c: Checked) => Promise<void> } = {
  // --- Reading -------------------------------------------------------------------------------------------------------

  async "a key that was never written is undefined"(c) {
    ensure((await c.one("AAAAAAAAAAA/grant/none")) === undefined, "a record came out of nothing");
  },

  async "records come in the order of the keys"(c) {
    const writes = ["b", "a", "c"].map((name) => write({ key: grant(name), value: bytes(name) }));
    for (const one of writes) await c.commits(one);
    for (const order of [[0, 1, 2], [2, 0], [1, 2, 0]]) {
      const wanted = order.map((index) => writes[index]!);
      const records = await c.load([...wanted.map((one) => one.key), grant("none")]);
      ensure(records.at(-1) === undefined, "a record came out of nothing");
      wanted.forEach((one, index) => same(records[index], one));
    }
  },

  async "an acknowledged write is seen by every later load"(c) {
    const twin = await c.twin();
    let current = write();
    await c.one(current.key);
    await c.one(current.key, twin);
    await c.commits(current);
    for (let version = 2; version < 30; version += 1) {
      await c.holds(current);
      await c.holds(current, twin);
      current = write({ expect: version - 1, version, value: bytes(version) });
      await c.commits(current, version % 2 ? twin : c.store);
    }
    await c.holds(current);
  },

  // --- Writing -------------------------------------------------------------------------------------------------------

  async "a new record needs an absent key"(c) {
    const first = write({ version: 7 });
    await c.commits(first);
    await c.holds(first);
    await c.conflicts(write({ version: 8, value: bytes("other") }));
    await c.conflicts(write({ version: 7 }));
  },

  async "an update needs exactly the version that is there"(c) {
    await c.commits(write({ version: 10 }));
    for (const wrong of [9, 11, 1, 0, NEVER]) await c.conflicts(write({ expect: wrong, version: 12, value: bytes("wrong") }));
    const second = write({ expect: 10, version: 11, value: bytes("second") });
    await c.commits(second);
    await c.holds(second);
    await c.conflicts(write({ expect: 10, version: 11, value: bytes("late") }));
  },

  async "an update of an absent key conflicts and creates nothing"(c) {
    await c.conflicts(write({ expect: 1, version: 2 }));
    await c.conflicts(write({ expect: 0, version: 1 }));
    ensure((await c.one(A)) === undefined, "a conflict created a record");
  },

  async "versions are stored as they are"(c) {
    let expect: number | undefined;
    for (const version of [2 ** 48 - 1, 2 ** 48, NEVER, 1, 2 ** 31, 2 ** 32 + 1, 5]) {
      const one = write({ expect, version, value: bytes(version) });
      await c.commits(one);
      await c.holds(one);
      expect = version;
    }
  },

  async "other keys are left alone"(c) {
    const writes = ["a", "ab", "A", "a/b"].map((name) => write({ key: grant(name), value: bytes(name) }));
    for (const one of writes) await c.commits(one);
    await c.commits(write({ expect: 1, version: 2, value: bytes("changed") }));
    for (const one of writes.slice(1)) await c.holds(one);
  },

  async "any key of printable ASCII works"(c) {
    const printable = String.fromCharCode(...Array.from({ length: 0x7f - 0x20 }, (_, index) => 0x20 + index));
    const swapped = printable.replace(/[a-z]/gi, (letter) => (letter < "a" ? letter.toLowerCase() : letter.toUpperCase()));
    const strange = ["%", "_", "*", "'; DROP TABLE x; --", "{tag}x", "a b", "a  b", "__proto__", "constructor"];
    const keys = [printable, swapped, "k".repeat(128), `${"k".repeat(127)}K`, ...strange];
    const writes = keys.map((key, index) => write({ key, version: index + 1, value: bytes(index) }));
    for (const one of writes) ensure((await c.one(one.key)) === undefined, "a record came out of nothing");
    for (const one of writes) await c.commits(one);
    for (const one of writes) await c.holds(one);
  },

  async "any bytes up to 64 KiB come back as they were"(c) {
    const texts = ["{}", "\0", "\u00e9\u2028", " x \r\n"].map(bytes);
    const raw = [every(256), Uint8Array.of(0xff, 0xfe, 0x00), every(8 * 1024), every(64 * 1024), every(64).subarray(7, 40)];
    for (const [index, value] of [...texts, ...raw].entries()) {
      const one = write({ key: grant(index), value });
      await c.commits(one);
      await c.holds(one);
    }
  },

  // --- Expiry --------------------------------------------------------------------------------------------------------

  async "an expired record stays for a day and can be overwritten"(c) {
    for (const age of [1, HOUR, KEPT_SECONDS - 60]) {
      const one = write({ key: grant(age), expiresAt: now() - age });
      await c.commits(one);
      await c.purge(now());
      await c.holds(one);
      await c.conflicts(write({ key: one.key, version: 9 }));
      const again = write({ key: one.key, expect: 1, version: 2, value: bytes("again") });
      await c.commits(again);
      await c.holds(again);
    }
  },

  async "purging removes what expired more than a day ago and nothing else"(c) {
    const kept = [
      write({ key: grant("live") }),
      write({ key: grant("late"), expiresAt: now() - KEPT_SECONDS + 60 }),
      write({ key: "AAAAAAAAAAA/subject/never", value: bytes("counter"), expiresAt: NEVER }),
    ];
    for (const one of kept) await c.commits(one);
    const old = [0, 1, 2].map((number) => grant(`old${number}`));
    for (const key of old) await c.commits(write({ key, expiresAt: now() - KEPT_SECONDS - 60, subject: "alice" }));
    const removed = await c.purge(now());
    // A store whose database removes old records by itself may have nothing left to do.
    ensure(removed === 0 || removed === 3, `purge says that it removed ${removed} records of 3`);
    ensure((await c.load(old)).every((record) => record === undefined), "an old record was not removed");
    ensure((await c.list("alice")).size === 0, "list returns what was removed");
    for (const one of kept) await c.holds(one);
    await c.commits(write({ key: old[0]!, version: 77 }));
  },

  // --- Labels --------------------------------------------------------------------------------------------------------

  async "list returns exactly the records of the subject"(c) {
    const subjects = ["alice", "Alice", "alice ", "alic", "%", "al_ce", "\u00e4lice", "a".repeat(255)];
    const writes = subjects.map((subject, index) => write({ key: grant(index), value: bytes(index), subject, client: "app" }));
    for (const one of writes) await c.commits(one);
    await c.commits(write({ key: "AAAAAAAAAAA/client/x" }));
    for (const one of writes) {
      const listed = await c.list(one.subject!);
      ensure(listed.size === 1 && listed.has(one.key), `list(${JSON.stringify(one.subject)}) returned ${[...listed.keys()].sort()}`);
      same(listed.get(one.key), one);
    }
    ensure((await c.list("nobody")).size === 0, "list found records of nobody");
  },

  async "list follows the last write"(c) {
    await c.commits(write({ subject: "alice" }));
    await c.commits(write({ key: grant("b"), subject: "alice" }));
    const second = write({ expect: 1, version: 2, value: bytes("second"), subject: "alice" });
    await c.commits(second);
    ensure((await c.list("alice")).size === 2, "list lost a record");
    same((await c.list("alice")).get(second.key), second);
    await c.conflicts(write({ expect: 1, version: 3, subject: "mallory" }));
    ensure((await c.list("mallory")).size === 0, "a conflict changed a label");
    await c.commits(write({ expect: 2, version: 3, subject: "bob" }));
    const bobs = await c.list("bob");
    ensure(bobs.size === 1 && bobs.has(A) && !(await c.list("alice")).has(A), "list did not follow a changed label");
    await c.commits(write({ expect: 3, version: 4 }));
    ensure((await c.list("bob")).size === 0, "list did not follow a removed label");
  },

  // --- Races ---------------------------------------------------------------------------------------------------------

  async "of many that create one record exactly one wins"(c) {
    const stores = [c.store, await c.twin()];
    for (let number = 0; number < ROUNDS; number += 1) {
      const key = grant(number);
      const writes = range(WRITERS).map((index) => write({ key, version: 100 + index, value: bytes(index) }));
      await oneWins(c, key, writes, stores);
    }
  },

  async "of many that update one version exactly one wins"(c) {
    const stores = [c.store, await c.twin()];
    for (let number = 0; number < ROUNDS; number += 1) {
      const key = grant(number);
      await c.commits(write({ key }));
      const writes = range(WRITERS).map((index) => write({ key, expect: 1, version: 2, value: bytes(index) }));
      await oneWins(c, key, writes, stores);
    }
  },

  async "no acknowledged update is lost"(c) {
    const key = "AAAAAAAAAAA/subject/counter";
    await c.commits(write({ key, value: bytes(0) }));
    const stores = [c.store, await c.twin()];
    const count = async (store: Store): Promise<void> => {
      for (let acknowledged = 0; acknowledged < ROUNDS; ) {
        const record = await c.one(key, store);
        ensure(record !== undefined, "the counter is gone");
        const value = bytes(Number(text(record.value)) + 1);
        const outcome = await c.commit(write({ key, expect: record.version, version: record.version + 1, value }), store);
        ensure(outcome !== "unknown", "a healthy store does not know what became of a write");
        if (outcome === "committed") acknowledged += 1;
      }
    };
    await Promise.all(range(WRITERS).map((index) => count(stores[index % 2]!)));
    const record = await c.one(key);
    const total = WRITERS * ROUNDS;
    ensure(record !== undefined, "the counter is gone");
    ensure(Number(text(record.value)) === total, `${total} updates were acknowledged, ${text(record.value)} are there`);
    ensure(record.version === total + 1, "the version does not belong to the value");
  },

  async "a record is always whole"(c) {
    const key = grant("torn");
    const filled = (version: number) => Buffer.alloc(4096, String(version % 10));
    await c.commits(write({ key, value: filled(1) }));
    const until = performance.now() + PATIENCE_MS;
    let readers = 2;
    const read = async (): Promise<void> => {
      try {
        for (const seen = new Set<number>(); seen.size < ROUNDS && performance.now() < until; ) {
          const record = await c.one(key);
          ensure(record !== undefined, "a record was gone while it was overwritten");
          ensure(Buffer.compare(record.value, filled(record.version)) === 0, "a record was half old and half new");
          seen.add(record.version);
          await turn();
        }
      } finally {
        readers -= 1;
      }
    };
    const overwrite = async (): Promise<void> => {
      for (let version = 2; readers > 0; version += 1) {
        await c.commits(write({ key, expect: version - 1, version, value: filled(version) }));
        await turn();
      }
    };
    await Promise.all([overwrite(), read(), read()]);
  },
};

async function oneWins(c: Checked, key: string, writes: readonly Write[], stores: readonly Store[]): Promise<void> {
  const outcomes = await Promise.all(writes.map((one, index) => c.commit(one, stores[index % 2])));
  const answered = (outcome: Committed) => writes.filter((_, index) => outcomes[index] === outcome);
  const winners = answered("committed");
  ensure(winners.length <= 1, `${winners.length} writers won the same race`);
  const record = await c.one(key);
  const possible = winners.length > 0 ? winners : answered("unknown");
  ensure(possible.length > 0, "everybody lost the race");
  const stored = possible.some((one) => record !== undefined && Buffer.compare(record.value, one.value) === 0);
  ensure(stored, "what is stored is not the winner's");
}

function write(changes: Partial<Write> = {}): Write {
  return { key: A, version: 1, value: bytes("value"), expiresAt: now() + HOUR, ...changes };
}

function grant(name: string | number): string {
  return `AAAAAAAAAAA/grant/${name}`;
}

function now(): number {
  return Math.floor(Date.now() / 1000);
}

function bytes(content: string | number): Uint8Array {
  return Buffer.from(String(content));
}

function text(value: Uint8Array): string {
  return Buffer.from(value).toString();
}

/** So many bytes, in which every one occurs. */
function every(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index + (index >> 8)) & 0xff);
}

function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

function turn(): Promise<void> {
  return new Promise((settle) => setImmediate(settle));
}
