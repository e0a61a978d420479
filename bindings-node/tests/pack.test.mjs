// What a person installs: the packed tarball in an empty folder, with nothing to compile and nothing else to fetch.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const here = new URL("..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "lockstep-pack-"));
const node = (...given) => execFileSync(process.execPath, given, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

before(() => {
  const [packed] = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: here, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }));
  writeFileSync(join(folder, "package.json"), '{ "private": true }');
  execFileSync("npm", ["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", `./${packed.filename}`], { cwd: folder, stdio: "ignore" });
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("one package is installed, and it has its native module", () => {
  assert.deepEqual(readdirSync(join(folder, "node_modules")).filter((name) => !name.startsWith(".")), ["lockstep-oauth"]);
  const native = readdirSync(join(folder, "node_modules/lockstep-oauth/native"));
  assert.equal(native.filter((name) => name.endsWith(".node")).length, 1);
});

const USE = `
const auth = lockstep({ issuer: "http://127.0.0.1:1", resource: "http://127.0.0.1:1/mcp", scopes: ["notes:read"], store: "memory:", signIn: () => ({ subject: "ada" }) });
auth.issuePersonalToken("ada", { name: "x", scopes: ["notes:read"], expiresIn: 60 })
  .then(({ token }) => auth.checkToken(token))
  .then((identity) => console.log(identity.subject));
`;

test("`import` and `require` both make a Lockstep, of the same class", () => {
  assert.equal(node("--input-type=module", "-e", `import { lockstep } from "lockstep-oauth";${USE}`), "ada\n");
  assert.equal(node("--input-type=commonjs", "-e", `const { lockstep } = require("lockstep-oauth");${USE}`), "ada\n");
  const both = 'const { Lockstep } = require("lockstep-oauth"); import("lockstep-oauth").then((other) => console.log(other.Lockstep === Lockstep));';
  assert.equal(node("--input-type=commonjs", "-e", both), "true\n");
});

test("what the wrappers for `import` export is what the modules have", async () => {
  const { exports } = JSON.parse(readFileSync(join(here, "package.json"), "utf8"));
  for (const [path, entry] of Object.entries(exports)) {
    if (typeof entry === "string") continue;
    const wrapper = await import(new URL(entry.import.default, `file://${here}`).href);
    const required = await import(new URL(entry.require.default, `file://${here}`).href);
    const names = Object.keys(required.default).filter((name) => name !== "__esModule").sort();
    assert.deepEqual(Object.keys(wrapper).sort(), names, path);
  }
});

test("the command makes a key ring that a Lockstep can use", () => {
  const ring = execFileSync(join(folder, "node_modules/.bin/lockstep-oauth"), ["keys", "new"], { cwd: folder, encoding: "utf8" });
  const make = `const { lockstep } = require("lockstep-oauth");
    lockstep({ issuer: "https://notes.example", resource: "https://notes.example/mcp", scopes: ["a"], store: "memory:", signIn: () => null, keys: process.argv[1] });
    console.log("made");`;
  assert.equal(node("--input-type=commonjs", "-e", make, ring), "made\n");
});
