// Compiles what a README shows, as an ES module, as CommonJS, and where no framework is installed.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { directory } from "./support.mjs";

const root = join(import.meta.dirname, "..");
const STRICT = ["--ignoreConfig", "--noEmit", "--strict", "--target", "es2022", "--module", "node16", "--types", "node"];

function compile(cwd, ...given) {
  try {
    execFileSync(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), ...STRICT, ...given], { cwd, encoding: "utf8" });
    return "";
  } catch (error) {
    return error.stdout;
  }
}

test("every adapter is typed in ES modules and in CommonJS", () => {
  assert.equal(compile(root, "--skipLibCheck", "tests/types/frameworks.mts", "tests/types/commonjs.cts"), "");
});

test("nobody needs the types of a framework that they do not have", (context) => {
  const folder = directory(context);
  const modules = join(folder, "node_modules");
  const own = join(modules, "lockstep-oauth");
  for (const part of ["dist", "esm", "package.json", join("native", "index.d.ts")]) cpSync(join(root, part), join(own, part), { recursive: true });
  mkdirSync(join(modules, "@types"));
  for (const name of [join("@types", "node"), "undici-types"]) symlinkSync(realpathSync(join(root, "node_modules", name)), join(modules, name));
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  cpSync(join(root, "tests", "types", "alone.mts"), join(folder, "alone.mts"));
  assert.equal(compile(folder, "--lib", "es2022", "--skipLibCheck", "false", "alone.mts"), "");
  // The declarations were really checked: a mistake in one of them is seen.
  appendFileSync(join(own, "dist", "fastify.d.ts"), "export declare const mistaken: NoSuchType;\n");
  assert.match(compile(folder, "--lib", "es2022", "--skipLibCheck", "false", "alone.mts"), /NoSuchType/);
});
