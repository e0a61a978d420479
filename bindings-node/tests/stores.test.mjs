// The stores keep the contract, the kit notices stores that do not, and a URL names a store.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { promisify } from "node:util";
import { DAY, DRIVERS, NEVER, bytes, directory, now, require, turn } from "./support.mjs";

const { MemoryStore, SQLiteStore, openStore } = require("./stores/index");
const { BrokenStore, RULES, checkStore } = require("./stores/check");

describe("memory keeps the contract", () => {
  for (const rule of RULES) test(rule.name, () => rule.check(() => new MemoryStore()));
});

for (const driver of DRIVERS) {
  describe(`SQLite keeps the contract with ${driver}`, () => {
    for (const rule of RULES) {
      test(rule.name, (t) => {
        const path = join(directory(t), "oauth.db");
        const open = () => new SQLiteStore(path, { driver });
        return rule.check(open, { twin: open });
      });
    }
  });
}

test("a store of promises keeps the contract", () =>
  checkStore(async () => {
    const inner = new MemoryStore();
    const promised = (name) => async (argument) => {
      await turn();
      return inner[name](argument);
    };
    return Object.fromEntries(["load", "commit", "list", "purge", "close"].map((name) => [name, promised(name)]));
  }));

test("memory forgets old records along the way", () => {
  const store = new MemoryStore();
  store.commit({ key: "old", version: 1, value: bytes("v"), expiresAt: now() - DAY - 60 });
  store.purgeAt = performance.now();
  store.commit({ key: "new", version: 1, value: bytes("v"), expiresAt: NEVER });
  assert.deepEqual(store.load(["old"]), [undefined]);
  assert.equal(store.load(["new"])[0].version, 1);
  assert.ok(store.purgeAt > performance.now() + 100_000);
});

// --- Stores that are broken, each in one way ------------------------------------------------------------------------

const set = (store, write) => (store.writes.set(write.key, write), "committed");

const BROKEN = {
  unconditional: (store) => ({ commit: (write) => set(store, write) }),
  "checks only that something is there": (store) => ({
    commit(write) {
      const stored = store.writes.get(write.key);
      return store.commit(stored && write.expect !== undefined ? { ...write, expect: stored.version } : write);
    },
  }),
  "accepts higher versions": (store) => ({
    commit(write) {
      const stored = store.writes.get(write.key);
      return store.commit(stored && write.expect > stored.version ? { ...write, expect: stored.version } : write);
    },
  }),
  "an update creates": (store) => ({
    commit: (write) => store.commit(store.writes.has(write.key) ? write : { ...write, expect: undefined }),
  }),
  "reads, then writes": (store) => ({
    async commit(write) {
      if (store.writes.get(write.key)?.version !== write.expect) return "conflict";
      await turn(); // the classic
      return set(store, write);
    },
  }),
  "forgets to say conflict": (store) => ({ commit: (write) => (store.commit(write), "committed") }),
  "says conflict, but writes": (store) => ({
    commit(write) {
      const outcome = store.commit(write);
      if (outcome === "conflict") set(store, write);
      return outcome;
    },
  }),
  "says nothing": (store) => ({ commit: (write) => void store.commit(write) }),
  "numbers versions itself": (store) => ({ commit: (write) => store.commit({ ...write, version: (write.expect ?? 0) + 1 }) }),
  "narrow versions": (store) => ({
    commit: (write) => store.commit({ ...write, expect: write.expect && write.expect % 2 ** 32, version: write.version % 2 ** 32 }),
  }),
  "keys without case": (store) => ({
    load: (keys) => store.load(keys.map((key) => key.toLowerCase())),
    commit: (write) => store.commit({ ...write, key: write.key.toLowerCase() }),
  }),
  "short keys": (store) => ({
    load: (keys) => store.load(keys.map((key) => key.slice(0, 100))),
    commit: (write) => store.commit({ ...write, key: write.key.slice(0, 100) }),
  }),
  "an object for a map": () => {
    const records = {};
    return {
      load: (keys) => keys.map((key) => records[key]),
      commit(write) {
        if (records[write.key]?.version !== write.expect) return "conflict";
        records[write.key] = write;
        return "committed";
      },
      list: (subject) => Object.entries(records).filter(([, write]) => write.subject === subject),
      purge: (when) => {
        const old = Object.keys(records).filter((key) => records[key].expiresAt < when - DAY);
        for (const key of old) delete records[key];
        return old.length;
      },
    };
  },
  "text for values": (store) => ({ commit: (write) => store.commit({ ...write, value: bytes(bytes_to_text(write.value)) }) }),
  "cuts values": (store) => ({ commit: (write) => store.commit({ ...write, value: write.value.subarray(0, 32 * 1024) }) }),
  "returns what lies under a view": (store) => ({
    load: (keys) => store.load(keys).map((record) => record && { ...record, value: new Uint8Array(record.value.buffer) }),
  }),
  "any order": (store) => ({ load: (keys) => store.load([...keys].sort()) }),
  "leaves out what is missing": (store) => ({ load: (keys) => store.load(keys).filter((record) => record !== undefined) }),
  "null for what is missing": (store) => ({ load: (keys) => store.load(keys).map((record) => record ?? null) }),
  "caches reads": (store) => {
    const cache = new Map();
    return {
      load: (keys) =>
        store.load(keys).map((record, index) => {
          if (!cache.has(keys[index])) cache.set(keys[index], record);
          return cache.get(keys[index]);
        }),
    };
  },
  "expires at once": (store) => ({
    load: (keys) => store.load(keys).map((record) => (record && record.expiresAt < now() ? undefined : record)),
  }),
  "purges at once": (store) => ({ purge: (when) => store.purge(when + DAY) }),
  "never purges": () => ({ purge: () => 0 }),
  "purges everything": (store) => ({ purge: () => store.purge(NEVER * 2) }),
  "lists by prefix": (store) => ({
    list: (subject) => [...store.writes].filter(([, write]) => write.subject?.startsWith(subject)),
  }),
  "lists first labels": (store) => ({
    commit: (write) => store.commit({ ...write, subject: (store.writes.get(write.key) ?? write).subject }),
  }),
  "lists without case": (store) => ({
    list: (subject) => [...store.writes].filter(([, write]) => write.subject?.toLowerCase() === subject.toLowerCase()),
  }),
  "tears records": (store) => ({
    async load(keys) {
      const versions = store.load(keys).map((record) => record?.version);
      await turn();
      return store.load(keys).map((record, index) => record && { ...record, version: versions[index] ?? 0 });
    },
  }),
  throws: () => ({
    commit() {
      throw new Error("not today");
    },
  }),
};

const bytes_to_text = (value) => Buffer.from(value).toString("utf8");

describe("the kit notices a store that", () => {
  for (const [name, spoil] of Object.entries(BROKEN)) {
    test(name, () =>
      assert.rejects(
        checkStore(() => {
          const store = new MemoryStore();
          const spoilt = spoil(store);
          const fine = (method) => (argument) => store[method](argument);
          return {
            ...Object.fromEntries(["load", "commit", "list", "purge", "close"].map((method) => [method, fine(method)])),
            ...spoilt,
          };
        }),
        BrokenStore,
      ),
    );
  }
});

// --- Choosing a store ------------------------------------------------------------------------------------------------

test("a store is opened by its URL", { skip: DRIVERS.length === 0 }, async (t) => {
  const path = directory(t);
  const before = process.cwd();
  process.chdir(path);
  t.after(() => process.chdir(before));
  assert.ok(openStore("memory:") instanceof MemoryStore);
  const relative = openStore("sqlite:///oauth.db");
  assert.ok(relative instanceof SQLiteStore);
  assert.equal(relative.path, "oauth.db");
  const absolute = openStore(`sqlite:///${path}/other.db`);
  assert.equal(absolute.path, join(path, "other.db"));
  assert.equal(resolve(relative.path), join(process.cwd(), "oauth.db"));
  await Promise.all([relative.close(), absolute.close()]);
  const store = new MemoryStore();
  assert.equal(openStore(store), store);
});

for (const where of ["", "oauth.db", "sqlite://oauth.db", "sqlite:", "sqlite:///", "sqlite:///:memory:", "mysql://x"]) {
  test(`${JSON.stringify(where)} names no store, and is refused with what would`, () => {
    assert.throws(() => openStore(where), { name: "ConfigurationError", field: "store", message: /sqlite:\/\/\// });
  });
}

test("what is no store is refused", () => {
  assert.throws(() => openStore({}), { name: "ConfigurationError", message: /store: Object lacks load, commit, list, purge, close; see Store/ });
  assert.throws(() => openStore({ ...new MemoryStore(), load() {} }), /lacks commit/);
  assert.throws(() => openStore(MemoryStore), /not a class; write new MemoryStore\(\.\.\.\)/);
  assert.throws(() => openStore(new URL("file:///oauth.db")), /not a URL object/);
  assert.throws(() => openStore(null), /null lacks load/);
});

test("require and import find the same, and SQLite is loaded when it is asked for", async () => {
  const program = `
    const stores = require("lockstep-oauth/stores");
    const loaded = () => Object.keys(require.cache).filter((file) => /sqlite/.test(file)).length;
    const before = loaded();
    import("lockstep-oauth/stores").then((imported) => {
      const names = Object.keys(imported).filter((name) => name !== "default");
      console.log(before, loaded() > 0, names.join(), names.every((name) => imported[name] === stores[name]));
    });`;
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program], { cwd: new URL("..", import.meta.url) });
  assert.equal(stdout, "0 true KEPT_SECONDS,MemoryStore,SQLiteStore,StoreError,openStore true\n");
  const kit = await import("lockstep-oauth/store-check");
  assert.equal(kit.RULES, RULES);
  assert.equal(kit.BrokenStore, BrokenStore);
});
