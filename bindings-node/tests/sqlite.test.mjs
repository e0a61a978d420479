// SQLite: what the file is, what faults do, and what survives what kills a process.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { DAY, DRIVERS, NEVER, after, bytes, directory, failures, now, require } from "./support.mjs";

const { SQLiteStore } = require("./stores/sqlite");
const { APPLICATION_ID, SQLiteFile } = require("./stores/sqlite_file");
const { driver: library } = require("./stores/sqlite_driver");
const { PURGED_AT_ONCE, Writer } = require("./stores/sqlite_writer");

const put = (key, changes = {}) => ({ key, version: 1, value: bytes("v"), expiresAt: NEVER, ...changes });
const plain = (records) => records.map((record) => record && { ...record, value: Buffer.from(record.value).toString() });

for (const driver of DRIVERS) {
  const opened = (t, options = {}, path = join(directory(t), "oauth.db")) => {
    const store = new SQLiteStore(path, { driver, ...options });
    t.after(() => store.close());
    return store;
  };
  const other = (t, path) => {
    const connection = library(driver).open(path, 0);
    t.after(() => connection.close());
    return connection;
  };
  const writing = (t, options = {}) => {
    const told = [];
    const file = new SQLiteFile({ path: join(directory(t), "oauth.db"), durable: true, busySeconds: 5, driver, ...options });
    file.create();
    const writer = new Writer(file, (message) => told.push(message));
    t.after(() => writer.close());
    return { file, writer, told };
  };
  /** A connection that fails at one statement, and otherwise is the real one. */
  const failing = (writer, at, code = 10) => {
    writer.commit([put("warm")]);
    const real = writer.connection;
    const fault = () => Object.assign(new Error("disk I/O error"), { errcode: code, code: code === 5 ? "SQLITE_BUSY" : "SQLITE_IOERR" });
    const faulty = (method) => (sql, ...values) => {
      if (at(sql, values)) throw fault();
      return real[method](sql, ...values);
    };
    writer.connection = { ...real, exec: faulty("exec"), run: faulty("run") };
  };

  describe(`SQLite with ${driver}`, () => {
    test("the file is private, durable and marked", async (t) => {
      const path = directory(t);
      const store = opened(t, {}, join(path, "oauth.db"));
      await store.commit(put("k"));
      store.load(["k"]);
      const files = readdirSync(path);
      assert.deepEqual(files.sort(), ["oauth.db", "oauth.db-shm", "oauth.db-wal"]);
      for (const name of files) assert.equal(statSync(join(path, name)).mode & 0o777, 0o600, name);
      assert.equal(other(t, store.path).get("PRAGMA application_id").application_id, APPLICATION_ID);
      assert.equal(other(t, store.path).get("PRAGMA user_version").user_version, 1);
      const { writer } = writing(t);
      writer.commit([put("k")]);
      assert.equal(writer.connection.get("PRAGMA synchronous").synchronous, 2);
      assert.equal(writer.connection.get("PRAGMA journal_mode").journal_mode, "wal");
      assert.equal(writer.connection.get("PRAGMA fullfsync").fullfsync, 1);
    });

    test("weaker durability is chosen by name and warned about", async (t) => {
      const warnings = [];
      const listen = ({ name, message }) => name === "LockstepWarning" && warnings.push(message);
      process.on("warning", listen);
      t.after(() => process.off("warning", listen));
      opened(t);
      opened(t, { durable: false });
      await after(1);
      assert.equal(warnings.length, 1);
      assert.match(warnings[0], /power cut/);
      const { writer } = writing(t, { durable: false });
      writer.commit([put("k")]);
      assert.equal(writer.connection.get("PRAGMA synchronous").synchronous, 1);
    });

    test("whole numbers are stored as whole numbers", async (t) => {
      const store = opened(t);
      await store.commit(put("k", { version: NEVER }));
      const row = other(t, store.path).get("SELECT typeof(version) AS v, typeof(expires_at) AS e, typeof(value) AS b FROM lockstep_records");
      assert.deepEqual({ ...row }, { v: "integer", e: "integer", b: "blob" });
    });

    test("records survive closing", async (t) => {
      const store = opened(t);
      await store.commit(put("k", { subject: "alice", client: "app" }));
      await store.close();
      const again = opened(t, {}, pathToFileURL(store.path));
      const record = { version: 1, value: "v", expiresAt: NEVER };
      assert.deepEqual(plain(again.load(["k", "none", "k"])), [record, undefined, record]);
      assert.deepEqual(again.list("alice").map(([key, found]) => [key, ...plain([found])]), [["k", record]]);
    });

    test("a newer file is refused", async (t) => {
      const store = opened(t);
      await store.close();
      other(t, store.path).exec("PRAGMA user_version = 99");
      assert.throws(() => opened(t, {}, store.path), { name: "ConfigurationError", message: /newer version/ });
    });

    test("what is no database, and where none can be, is refused", (t) => {
      const path = directory(t);
      writeFileSync(join(path, "text"), "hello ".repeat(1000));
      assert.throws(() => opened(t, {}, join(path, "text")), { name: "ConfigurationError", message: /store: .*not a database/ });
      assert.throws(() => opened(t, {}, join(path, "no", "such", "directory.db")), { name: "ConfigurationError", message: /cannot be opened/ });
    });

    test("a file that vanished is an error, and not an empty store", async (t) => {
      const told = failures(t);
      const store = opened(t);
      renameSync(store.path, `${store.path}.away`);
      assert.throws(() => store.load(["k"]), { name: "StoreError", message: /cannot be read/ });
      assert.equal(await store.commit(put("k")), "conflict");
      assert.match(told.join(), /cannot be opened, nothing was written/);
      assert.equal(existsSync(store.path), false);
      renameSync(`${store.path}.away`, store.path);
      assert.equal(await store.commit(put("k")), "committed");
      assert.equal(store.load(["k"])[0].version, 1);
    });

    test("to open a store a second time takes no lock away from the first", { skip: process.platform !== "linux" }, async (t) => {
      const store = opened(t);
      await store.commit(put("k"));
      const file = `:${statSync(store.path).ino} `;
      const locks = () => readFileSync("/proc/locks", "utf8").split("\n").filter((line) => line.includes(file)).length;
      assert.equal(locks(), 1);
      await opened(t, {}, store.path).close();
      assert.equal(locks(), 1);
    });

    test("a writer that waits too long has written nothing", async (t) => {
      const told = failures(t);
      const store = opened(t, { busySeconds: 0.05 });
      const rival = other(t, store.path);
      rival.exec("BEGIN IMMEDIATE");
      const outcomes = await Promise.all(["a", "b", "c"].map((key) => store.commit(put(key))));
      assert.deepEqual(outcomes, ["conflict", "conflict", "conflict"]);
      assert.deepEqual(store.load(["a"]), [undefined], "a load does not wait for a writer");
      rival.exec("ROLLBACK");
      assert.equal(await store.commit(put("a")), "committed");
      assert.match(told.join(), /could not be written/);
    });

    test("commits do not stop the event loop", async (t) => {
      const store = opened(t, { busySeconds: 2 });
      const rival = other(t, store.path);
      rival.exec("BEGIN IMMEDIATE");
      const commit = store.commit(put("k"));
      let turns = 0;
      for (const until = performance.now() + 200; performance.now() < until; turns += 1) await after(5);
      rival.exec("ROLLBACK");
      assert.equal(await commit, "committed");
      assert.ok(turns > 10, `${turns} turns`);
    });

    test("after a fault of the disk the outcome is unknown, and the next commit works", (t) => {
      const { writer, told } = writing(t);
      failing(writer, (sql) => sql.startsWith("INSERT"));
      assert.deepEqual(writer.commit([put("k")]), ["unknown"]);
      assert.match(told.join(), /could not be written: disk I\/O error/);
      assert.deepEqual(writer.commit([put("k")]), ["committed"]);
    });

    test("of many at once, each has an outcome of its own and sees those before it", (t) => {
      const { file, writer } = writing(t);
      const writes = [put("a"), put("a"), put("b"), put("a", { expect: 1, version: 2 }), put("c", { expect: 1, version: 2 })];
      assert.deepEqual(writer.commit(writes), ["committed", "conflict", "committed", "committed", "conflict"]);
      const reader = file.openReader();
      t.after(() => reader.close());
      const rows = reader.all("SELECT key, version FROM lockstep_records ORDER BY key").map((row) => ({ ...row }));
      assert.deepEqual(rows, [{ key: "a", version: 2 }, { key: "b", version: 1 }]);
    });

    test("when the commit of many fails, nobody is told that theirs is there", (t) => {
      const { writer } = writing(t);
      for (const code of [10, 5]) {
        failing(writer, (sql) => sql === "COMMIT", code);
        assert.deepEqual(writer.commit([put("a"), put("b"), put("warm")]), ["unknown", "unknown", "unknown"]);
      }
      assert.deepEqual(writer.commit([put("a"), put("b")]), ["committed", "committed"], "what was undone is not there");
    });

    test("when many cannot even begin, it says the same of all", (t) => {
      const { writer } = writing(t);
      failing(writer, (sql) => sql.startsWith("BEGIN"), 5);
      assert.deepEqual(writer.commit([put("a"), put("b")]), ["conflict", "conflict"]);
      failing(writer, (sql) => sql.startsWith("BEGIN"));
      assert.deepEqual(writer.commit([put("a"), put("b")]), ["unknown", "unknown"]);
      assert.deepEqual(writer.commit([put("a"), put("b")]), ["committed", "committed"]);
    });

    test("one that fails takes no other with it", (t) => {
      const { writer } = writing(t);
      failing(writer, (_, values) => values.includes("bad"));
      assert.deepEqual(writer.commit([put("a"), put("bad"), put("b"), put("a")]), ["committed", "unknown", "committed", "conflict"]);
      failing(writer, (sql, values) => values.includes("worse") || sql === "ROLLBACK");
      assert.deepEqual(writer.commit([put("c"), put("worse"), put("d")]), ["unknown", "unknown", "unknown"]);
      assert.deepEqual(writer.commit([put("c"), put("d")]), ["committed", "committed"], "closing undid them");
    });

    test("what waits together is written together", async (t) => {
      const store = opened(t);
      await store.commit(put("k"));
      const { worker } = store.thread;
      const jobs = [];
      const send = worker.postMessage;
      worker.postMessage = (job) => (jobs.push(job), send.call(worker, job));
      const outcomes = await Promise.all(Array.from({ length: 600 }, (_, number) => store.commit(put(`k${number % 300}`))));
      assert.deepEqual([...new Set(outcomes.slice(0, 300))], ["committed"]);
      assert.deepEqual([...new Set(outcomes.slice(300))], ["conflict"]);
      assert.deepEqual(jobs.map(({ writes }) => writes.length), [1, 256, 256, 87]);
      assert.equal(jobs[0].writes[0].value.buffer.byteLength, 1, "what lies beside a value is not copied");
    });

    test("when the thread dies, what it worked on is unknown and what waited is written", async (t) => {
      const told = failures(t);
      const store = opened(t, { busySeconds: 5 });
      await store.commit(put("k"));
      const rival = other(t, store.path);
      rival.exec("BEGIN IMMEDIATE");
      const working = store.commit(put("working"));
      const waiting = store.commit(put("waiting"));
      const purge = store.purge(now());
      await after(100);
      void store.thread.worker.terminate();
      await after(20);
      rival.exec("ROLLBACK"); // a thread ends where its call does
      assert.equal(await working, "unknown");
      assert.equal(await waiting, "committed");
      assert.equal(await purge, 0);
      assert.match(told.join(), /the thread that writes to .* ended/);
      assert.equal(await store.commit(put("later")), "committed");
    });

    test("closing waits for what was asked; later calls fail", async (t) => {
      const told = failures(t);
      const store = opened(t);
      const commits = Array.from({ length: 20 }, (_, number) => store.commit(put(`k${number}`)));
      const closed = store.close();
      assert.equal(store.close(), closed);
      assert.equal(await store.commit(put("late")), "conflict");
      assert.match(told.join(), /the store is closed/);
      assert.throws(() => store.load(["k0"]), { name: "StoreError", message: /the store is closed/ });
      assert.throws(() => store.list("alice"), { name: "StoreError" });
      await assert.rejects(store.purge(now()), { name: "StoreError" });
      await closed;
      assert.deepEqual([...new Set(await Promise.all(commits))], ["committed"]);
      assert.equal(opened(t, {}, store.path).load(["k19"])[0].version, 1);
      assert.equal(existsSync(`${store.path}-wal`), true);
    });

    test("a store that was never used can be closed", async (t) => {
      const path = directory(t);
      await opened(t, {}, join(path, "oauth.db")).close();
      assert.deepEqual(readdirSync(path), ["oauth.db"]);
    });

    test("old records are removed by and by", async (t) => {
      const { file, writer, told } = writing(t);
      const count = () => writer.connection.get("SELECT count(*) AS n FROM lockstep_records").n;
      const old = now() - DAY - 60;
      writer.commit(Array.from({ length: PURGED_AT_ONCE + 10 }, (_, number) => put(`old${number}`, { expiresAt: old })));
      assert.equal(count(), PURGED_AT_ONCE + 10);
      writer.purgeAt = performance.now();
      writer.commit([put("a")]);
      assert.equal(count(), 11, "no request waits for more than some");
      writer.commit([put("b")]);
      assert.equal(count(), 2);
      assert.ok(writer.purgeAt > performance.now() + 100_000);
      failing(writer, (sql) => sql.startsWith("DELETE"));
      writer.purgeAt = performance.now();
      assert.deepEqual(writer.commit([put("c")]), ["committed"], "a purge that fails changes no outcome");
      assert.match(told.join(), /could not be purged/);
      const store = opened(t, {}, file.path);
      const olds = Array.from({ length: 2 * PURGED_AT_ONCE + 1 }, (_, number) => store.commit(put(`old${number}`, { expiresAt: old })));
      await Promise.all(olds);
      assert.equal(await store.purge(now()), 2 * PURGED_AT_ONCE + 1);
    });

    test("a purge that cannot be done says so", async (t) => {
      const store = opened(t, { busySeconds: 0.05 });
      other(t, store.path).exec("BEGIN IMMEDIATE");
      await assert.rejects(store.purge(now()), { name: "StoreError", message: /cannot be purged/ });
    });

    test("it keeps no process alive, and ends none that waits for a commit", async (t) => {
      const program = `
        const { SQLiteStore } = require(${JSON.stringify(require.resolve("./stores/sqlite"))});
        const store = new SQLiteStore(process.argv[1], { driver: ${JSON.stringify(driver)} });
        store.commit({ key: "k", version: 1, value: Buffer.from("v"), expiresAt: 1 }).then(console.log);`;
      const child = spawn(process.execPath, ["-e", program, join(directory(t), "oauth.db")], { stdio: ["ignore", "pipe", "inherit"] });
      let said = "";
      child.stdout.on("data", (part) => (said += part));
      const [code] = await Promise.race([once(child, "exit"), after(10_000).then(() => (child.kill(), ["it lives"]))]);
      assert.equal(code, 0);
      assert.equal(said, "committed\n");
    });

    test("many processes may open a new file at once", async (t) => {
      const program = `new (require(${JSON.stringify(require.resolve("./stores/sqlite"))}).SQLiteStore)(process.argv[1], { driver: ${JSON.stringify(driver)} })`;
      const path = join(directory(t), "oauth.db");
      const children = Array.from({ length: 6 }, () => spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "inherit", "inherit"] }));
      const codes = await Promise.all(children.map(async (child) => (await once(child, "exit"))[0]));
      assert.deepEqual(codes, [0, 0, 0, 0, 0, 0]);
    });

    test("a start waits for another process that makes the same file", async (t) => {
      const path = join(directory(t), "oauth.db");
      const program = `
        require("node:fs").writeFileSync(process.argv[1], "");
        const rival = require(${JSON.stringify(require.resolve("./stores/sqlite_driver"))}).driver(${JSON.stringify(driver)}).open(process.argv[1], 0);
        rival.exec("BEGIN EXCLUSIVE");
        require("node:fs").writeSync(1, "ready");
        setTimeout(() => rival.exec("COMMIT"), 500);`;
      const child = spawn(process.execPath, ["-e", program, path], { stdio: ["ignore", "pipe", "inherit"] });
      await once(child.stdout, "data");
      const store = opened(t, { busySeconds: 0.01 }, path);
      assert.equal(await store.commit(put("k")), "committed");
    });

    test("no acknowledged write is lost when processes are killed", async (t) => {
      const path = join(directory(t), "oauth.db");
      const program = `
        const { SQLiteStore } = require(${JSON.stringify(require.resolve("./stores/sqlite"))});
        const { writeSync } = require("node:fs");
        const [path, key] = process.argv.slice(1);
        const store = new SQLiteStore(path, { driver: ${JSON.stringify(driver)} });
        (async () => {
          let version = store.load([key])[0]?.version;
          writeSync(1, "ready\\n");
          for (;;) {
            const following = (version ?? 0) + 1;
            const write = { key, expect: version, version: following, value: Buffer.from((following + " ").repeat(500)), expiresAt: 2 ** 53 - 1 };
            const beside = store.commit({ ...write, key: key + "-beside" });
            if ((await store.commit(write)) !== "committed") process.exit(1);
            await beside;
            version = following;
            writeSync(1, following + "\\n");
          }
        })();`;
      const last = { key0: 0, key1: 0 };
      let total = 0;
      for (let round = 0; round < 6; round += 1) {
        const writers = ["key0", "key1"].map((key) => {
          const child = spawn(process.execPath, ["-e", program, path, key], { stdio: ["ignore", "pipe", "inherit"] });
          const lines = [];
          const reading = createInterface(child.stdout).on("line", (line) => lines.push(line));
          return { key, child, lines, reading };
        });
        // However slow the disk is, each has written some, and is killed at some point of the next.
        await Promise.all(writers.map(async ({ lines, reading }) => {
          while (lines.length < 4 && !reading.closed) await Promise.race([once(reading, "line"), once(reading, "close")]);
        }));
        await after(17 * round);
        await Promise.all(writers.map(({ child, reading }) => (child.kill("SIGKILL"), Promise.all([once(child, "exit"), once(reading, "close")]))));
        const check = library(driver).open(path, 5);
        assert.equal(Object.values(check.get("PRAGMA integrity_check"))[0], "ok");
        check.close();
        const store = new SQLiteStore(path, { driver });
        for (const { key, child, lines } of writers) {
          assert.equal(child.signalCode, "SIGKILL", `it ended by itself, after ${lines.at(-1)}`);
          const acknowledged = Math.max(last[key], ...lines.slice(1).map(Number));
          const record = store.load([key])[0];
          const found = record?.version ?? 0;
          // One more may have been written than was acknowledged, and never one less.
          assert.ok(found === acknowledged || found === acknowledged + 1, `${found} of ${acknowledged}`);
          last[key] = found;
          if (record) assert.equal(Buffer.from(record.value).toString(), `${found} `.repeat(500));
          total += lines.length - 1;
        }
        await store.close();
      }
      t.diagnostic(`${total} writes were acknowledged`);
      assert.ok(total >= 6 * 2 * 3);
    });
  });
}

test("where there is no SQLite library, it says how to get one", { skip: DRIVERS.includes("better-sqlite3") }, () => {
  const fix = Number.parseInt(process.versions.node, 10) < 22 ? /npm install better-sqlite3@12`, or use Node 22.16/ : /npm install better-sqlite3`/;
  assert.throws(() => new SQLiteStore("oauth.db", { driver: "better-sqlite3" }), { name: "ConfigurationError", field: "store", message: fix });
});

test("where Node has no SQLite of its own, its driver says so", { skip: DRIVERS.includes("node:sqlite") }, () => {
  assert.throws(() => new SQLiteStore("oauth.db", { driver: "node:sqlite" }), { name: "ConfigurationError", message: /Node 22\.16 or newer/ });
});
