// Builds the native module into native/, and writes its types beside it: node build.mjs
//
// Cargo builds it with everything else of the workspace, and napi's macros leave the types of what they export as lines of
// JSON; here they become one file. (@napi-rs/cli does the same, with 80 MB of packages, not all of which can be locked.)

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const { target_directory: target } = JSON.parse(
  execFileSync("cargo", ["metadata", "--format-version=1", "--no-deps", "--locked"], { cwd: here, encoding: "utf8", maxBuffer: 1 << 26 }),
);
const types = join(target, "napi-types");
rmSync(types, { recursive: true, force: true });
mkdirSync(types, { recursive: true });
const now = new Date();
utimesSync(join(here, "src/lib.rs"), now, now); // the macros run, and tell their types, only when the crate is compiled
execFileSync("cargo", ["build", "--quiet", "--release", "--locked", "--package", "lockstep-oauth-node"], {
  cwd: here,
  env: { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: types },
  stdio: "inherit",
});

const LIBRARY = { linux: "liblockstep_oauth_node.so", darwin: "liblockstep_oauth_node.dylib", win32: "lockstep_oauth_node.dll" };
const musl = existsSync("/etc/alpine-release");
const VARIANT = { linux: musl ? "-musl" : "-gnu", darwin: "", win32: "-msvc" };
const native = join(here, "native");
mkdirSync(native, { recursive: true });
const module = join(native, `lockstep_oauth.${process.platform}-${process.arch}${VARIANT[process.platform]}.node`);
rmSync(module, { force: true }); // a process may have the old one mapped
copyFileSync(join(target, "release", LIBRARY[process.platform]), module);

const told = readdirSync(types).flatMap((name) => readFileSync(join(types, name), "utf8").split("\n"));
const definitions = told.filter((line) => line !== "").map((line) => JSON.parse(line));
if (definitions.length === 0) throw new Error("the macros told no types");
writeFileSync(join(native, "index.d.ts"), declarations(definitions));

/** The declarations of everything that the module exports, by name. */
function declarations(definitions) {
  const methods = new Map(definitions.filter(({ kind }) => kind === "impl").map(({ name, def }) => [name, def]));
  const exported = definitions.filter(({ kind }) => kind !== "impl").sort((a, b) => (a.name < b.name ? -1 : 1));
  const texts = exported.map(({ kind, name, js_doc: doc, def }) => {
    if (kind === "struct") return `${doc}export declare class ${name} {\n${indented(methods.get(name) ?? "")}}\n`;
    if (kind === "interface") return `${doc}export interface ${name} {\n${indented(def)}}\n`;
    if (kind === "fn") return `${doc}export declare ${def}\n`;
    throw new Error(`a ${kind} cannot be declared yet`);
  });
  return ["// Written by build.mjs out of what napi's macros tell. Do not edit.\n", ...texts].join("\n");
}

function indented(lines) {
  return lines.split("\n").filter((line) => line.trim() !== "").map((line) => `  ${/^ \*/.test(line) ? line : line.trim()}\n`).join("");
}
