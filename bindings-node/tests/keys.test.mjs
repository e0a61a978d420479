// Where keys come from, and the command that makes them.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { directory, require } from "./support.mjs";

const { KEYS_FILE, isLoopbackHttp, loadKeys, newKeys, rotatedKeys, writePrivateFile } = require("./keys");

const LIVE = "https://notes.example";
const LOCAL = "http://127.0.0.1:8787";
const CLI = require.resolve("./cli");
const mode = (file) => statSync(file).mode & 0o777;

/** Runs the command, as a shell does. */
function command(...given) {
  const input = typeof given.at(-1) === "object" ? given.pop().input : "";
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...given], { encoding: "utf8", input });
  return { status, stdout, stderr };
}

test("keys come from the option, the environment or a file", (t) => {
  const file = join(directory(t), "keys.json");
  writeFileSync(file, "{from a file}");
  assert.equal(loadKeys("{given}", { LOCKSTEP_KEYS: "{other}" }, LIVE), "{given}");
  assert.equal(loadKeys({ file }, {}, LIVE), "{from a file}");
  assert.equal(loadKeys(pathToFileURL(file), {}, LIVE), "{from a file}");
  assert.equal(loadKeys(undefined, { LOCKSTEP_KEYS: "{text}" }, LIVE), "{text}");
  assert.equal(loadKeys(undefined, { LOCKSTEP_KEYS_FILE: file }, LIVE), "{from a file}");
});

test("a live issuer without keys is told exactly what to do", (t) => {
  const path = directory(t);
  const how = /npx lockstep-oauth keys new.*LOCKSTEP_KEYS.*LOCKSTEP_KEYS_FILE/;
  assert.throws(() => loadKeys(undefined, {}, LIVE, join(path, "oauth.db")), { name: "ConfigurationError", field: "keys", message: how });
  assert.deepEqual(readdirSync(path), []);
});

describe("keys that cannot be meant are refused", () => {
  const wrong = [
    ["  ", {}, /empty/],
    ["/etc/keys.json", {}, /^keys: this is not the text of a key ring; for the path of a file use keys: \{ file: path \}$/],
    [undefined, { LOCKSTEP_KEYS: "secret" }, /^LOCKSTEP_KEYS: this is not the text of a key ring; for the path of a file use LOCKSTEP_KEYS_FILE$/],
    [undefined, { LOCKSTEP_KEYS: "a", LOCKSTEP_KEYS_FILE: "b" }, /both/],
    [undefined, { LOCKSTEP_KEYS_FILE: "/no/such/file" }, /^LOCKSTEP_KEYS_FILE: \/no\/such\/file cannot be read: .*keys new --out \/no\/such\/file/],
    [{ file: "/no/such/file" }, {}, /^keys: \/no\/such\/file cannot be read/],
    [{}, {}, /not Object$/],
    [new URL("https://x.example/keys"), {}, /not URL$/],
    [5, {}, /not number$/],
  ];
  for (const [keys, env, message] of wrong) {
    test(String(message), () => assert.throws(() => loadKeys(keys, env, LOCAL), { name: "ConfigurationError", message }));
  }
  test("a file that is no text", (t) => {
    const file = join(directory(t), "keys.json");
    writeFileSync(file, Buffer.from([0x7b, 0xff]));
    assert.throws(() => loadKeys({ file }, {}, LOCAL), { name: "ConfigurationError", message: /cannot be read/ });
  });
});

test("a development server makes a private file once", async (t) => {
  const path = directory(t);
  const warnings = [];
  const listen = (warning) => warning.name === "LockstepWarning" && warnings.push(warning);
  process.on("warning", listen);
  t.after(() => process.off("warning", listen));
  const first = loadKeys(undefined, {}, LOCAL, join(path, "oauth.db"));
  assert.equal(loadKeys(undefined, {}, LOCAL, join(path, "oauth.db")), first);
  await new Promise((settle) => setImmediate(settle));
  assert.equal(mode(join(path, KEYS_FILE)), 0o600);
  assert.deepEqual(readdirSync(path), [KEYS_FILE]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0].message, /version control/);
  assert.ok(!warnings[0].message.includes(JSON.parse(first).keys[0].secret));
});

test("many that start at once agree on the file", async (t) => {
  const beside = join(directory(t), "oauth.db");
  const program = `console.log(require(${JSON.stringify(require.resolve("./keys"))}).loadKeys(undefined, {}, "${LOCAL}", process.argv[1]))`;
  const runs = Array.from({ length: 6 }, () => promisify(execFile)(process.execPath, ["-e", program, beside]));
  assert.equal(new Set((await Promise.all(runs)).map(({ stdout }) => stdout)).size, 1);
});

test("a directory that cannot be written is explained", (t) => {
  const beside = join(directory(t), "no", "oauth.db");
  assert.throws(() => loadKeys(undefined, {}, LOCAL, beside), { name: "ConfigurationError", message: /no keys are configured, and .* cannot be made/ });
});

test("a private file is written whole or not at all, and never over another", (t) => {
  const path = directory(t);
  const file = join(path, "f");
  writePrivateFile(file, "first");
  assert.throws(() => writePrivateFile(file, "second"), { code: "EEXIST" });
  assert.equal(readFileSync(file, "utf8"), "first\n");
  writePrivateFile(file, "third", { replace: true });
  assert.equal(readFileSync(file, "utf8"), "third\n");
  assert.equal(mode(file), 0o600);
  assert.deepEqual(readdirSync(path), ["f"]);
});

describe("plain http on this machine is development", () => {
  for (const issuer of ["http://127.0.0.1", "http://localhost:8000/auth", "HTTP://LocalHost", "http://[::1]:1", "http://[0:0:0:0:0:0:0:1]/", "http://127.8.8.8", "http://127.255.255.254?"]) {
    test(issuer, () => assert.ok(isLoopbackHttp(issuer)));
  }
  const others = [
    LIVE, "https://127.0.0.1", "http://notes.example", "http://localhost.evil.example", "http://127.0.0.1.example", "http://10.0.0.1", "", "http://[", "http://127.1",
    "http://[::2]", "http://[::1", "http://[x]", "http://127.0.0.256", "http://127.0.0.01", "http://127.0.0.1@evil.example", "http://localhost:80@evil.example", "http://localhost:x", " http://localhost",
  ];
  for (const issuer of others) test(`and nothing else: ${JSON.stringify(issuer)}`, () => assert.ok(!isLoopbackHttp(issuer)));
});

test("a rotated ring keeps the old key and signs later with the new one", () => {
  const first = JSON.parse(newKeys());
  const second = JSON.parse(rotatedKeys(JSON.stringify(first), 600, 1000));
  assert.equal(second.keys[0].secret, first.keys[0].secret);
  const lead = second.keys[1].signs_from - second.keys[0].signs_from;
  assert.ok(lead >= 599 && lead < 610);
  assert.equal(second.keys[0].verifies_until, second.keys[1].signs_from + 1000);
  assert.throws(() => rotatedKeys("nonsense"), { name: "ConfigurationError" });
});

test("a new ring can sign JWTs by another algorithm", () => {
  for (const algorithm of ["ES256", "EdDSA"]) assert.deepEqual(JSON.parse(newKeys(algorithm)).jwt.map(({ jwk }) => jwk.alg), [algorithm]);
  assert.throws(() => newKeys("RS256"), { name: "MisuseError" });
  assert.notEqual(newKeys(), newKeys());
});

test("the command makes, shows and rotates", (t) => {
  const file = join(directory(t), "keys.json");
  const made = command("keys", "new", "--out", file);
  assert.deepEqual(made, { status: 0, stdout: "", stderr: `wrote ${file}; set LOCKSTEP_KEYS_FILE=${file}\n` });
  assert.equal(mode(file), 0o600);
  const before = readFileSync(file, "utf8");
  assert.equal(command("keys", "new", "--out", file).status, 1, "a file is never overwritten");
  assert.equal(readFileSync(file, "utf8"), before);
  const rotated = command("keys", "rotate", file, "--in-place", "--lead-seconds", "60");
  assert.deepEqual(rotated, { status: 0, stdout: "", stderr: `replaced ${file}; restart every process within 60 seconds\n` });
  assert.equal(mode(file), 0o600);
  const ring = JSON.parse(readFileSync(file, "utf8"));
  assert.equal(ring.keys.length, 2);
  const { status, stdout: shown } = command("keys", "show", file);
  assert.equal(status, 0);
  assert.equal(shown.trim().split("\n").length, 4);
  assert.match(shown, / signs .* verifies until ever\n/s);
  for (const secret of [...ring.keys.map((key) => key.secret), ...ring.jwt.map((key) => key.jwk.d)]) assert.ok(!shown.includes(secret));
  assert.equal(JSON.parse(command("keys", "rotate", file).stdout).keys.length, 3);
  assert.equal(JSON.parse(command("keys", "new", "--jwt-algorithm=EdDSA").stdout).jwt[0].jwk.alg, "EdDSA");
});

test("only the newest key that may sign is shown as signing", (t) => {
  const file = join(directory(t), "keys.json");
  command("keys", "new", "--out", file);
  command("keys", "rotate", file, "--in-place");
  assert.match(command("keys", "rotate", file, "--in-place", "--lead-seconds", "0").stderr, /restart every process now/);
  // The last one may have been added at the second of the first; only then do the two compare as equal.
  const ring = JSON.parse(readFileSync(file, "utf8"));
  ring.keys[0].signs_from -= 60;
  writeFileSync(file, JSON.stringify(ring));
  const servers = command("keys", "show", file).stdout.split("\n").filter((line) => line.startsWith("server"));
  assert.deepEqual(servers.map((line) => line.split(/ +/)[2]), ["verifies", "verifies", "signs"]);
});

test("the command says what is wrong, without a stack", (t) => {
  const path = directory(t);
  const file = join(path, "keys.json");
  command("keys", "new", "--out", file);
  const failures = [
    [["keys", "new", "--out", file], `error: ${file} exists`],
    [["keys", "new", "--out", join(path, "none", "keys.json")], `error: there is no directory ${join(path, "none")}`],
    [["keys", "show", "/no/such/file"], "error: ENOENT"],
    [["keys", "rotate", "-", "--in-place"], "error: --in-place needs a file"],
    [["explain", "no.such"], "error: there is no refusal `no.such`"],
  ];
  for (const [given, said] of failures) {
    const { status, stdout, stderr } = command(...given);
    assert.deepEqual([status, stdout], [1, ""], given.join(" "));
    assert.ok(stderr.startsWith(said) && stderr.trim().split("\n").length === 1, stderr);
  }
  assert.equal(command("keys", "show", "-", { input: "nonsense" }).status, 1);
  const misuses = [
    [["keys", "rotate", file, "--lead-seconds=-5"], "a whole number of seconds, not '-5'"],
    [["keys", "rotate", file, "--keep-seconds=1h"], "a whole number of seconds, not '1h'"],
    [["keys", "new", "--jwt-algorithm", "RS256"], "ES256 or EdDSA"],
    [["keys", "show"], "keys show needs FILE"],
    [["keys", "secret", "x"], "does not understand `x`"],
    [["keys", "new", "--nonsense"], "--nonsense"],
    [["keys"], "no command `keys`"],
    [["constructor"], "no command `constructor`"],
    [[], "a command is needed"],
  ];
  for (const [given, said] of misuses) {
    const { status, stdout, stderr } = command(...given);
    assert.deepEqual([status, stdout], [2, ""], given.join(" "));
    assert.ok(stderr.startsWith("usage: npx lockstep-oauth") && stderr.includes(said), stderr);
  }
  assert.equal(existsSync(join(path, "none")), false);
});

test("the command makes client secrets, explains refusals and itself, and reads the standard input", () => {
  assert.match(command("keys", "secret").stdout, /^[\w-]{43}\n$/);
  assert.match(command("explain", "bearer.expired").stdout, /^bearer\.expired: 401 invalid_token\n.+\n.+\nSee .+\.\n$/);
  assert.match(command("keys", "show", "-", { input: command("keys", "new").stdout }).stdout, /signs/);
  for (const given of [["--help"], ["keys", "new", "-h"]]) {
    assert.deepEqual({ ...command(...given), stdout: "" }, { status: 0, stdout: "", stderr: "" });
  }
});
