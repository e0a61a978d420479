// The public surface against conformance/surface.json, both ways: nothing is missing, and nothing is there that it does not
// name. What is only a type is read out of the declarations that users get.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as esm from "lockstep-oauth";
import * as esmStores from "lockstep-oauth/stores";
import { authority } from "./flow.mjs";
import { require } from "./support.mjs";

const root = join(import.meta.dirname, "..");
const { about, ...SURFACE } = JSON.parse(readFileSync(join(root, "..", "conformance", "surface.json"), "utf8"));

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());

/** The names that this language has, by the file. */
const named = (group) => SURFACE[group]
  .filter((entry) => typeof entry === "string" || (entry.only ?? "node") === "node")
  .map((entry) => (typeof entry === "string" ? camel(entry) : (entry.node ?? camel(entry.name))));

const declarations = (file) => readFileSync(join(root, file), "utf8");

/** The body of an interface or class of a declaration file, its bases' included. */
function members(file, kind) {
  const text = declarations(file);
  const [, bases, body] = new RegExp(`^export (?:declare )?(?:interface|class) ${kind}\\b(?:<[^{]*?>)?(?: extends ([^{]*))? \\{\\n([\\s\\S]*?)^\\}`, "m").exec(text);
  const found = [];
  // Members stand at the first level; what a comment calls @internal is for other modules of the package.
  for (const [, comment = "", name] of body.matchAll(/((?:^ +\/\*\*[\s\S]*?\*\/\n)?)^(?: {2}| {4})(?:readonly |get )?(?:"?)([A-Za-z]\w*)"?\??(?=[:(<])/gm)) {
    if (!comment.includes("@internal") && name !== "constructor") found.push(name);
  }
  // `Omit<Base, "member" | …>` counts as what it leaves.
  const left = (bases ?? "").replace(/Omit<(\w+), ([^>]*)>/g, (_, base, omitted) => {
    found.push(...members(HOMES[base], base).filter((name) => !omitted.includes(`"${name}"`)));
    return "";
  });
  for (const base of left.split(", ").filter((base) => base.trim() !== "")) found.push(...members(HOMES[base.replace(/<.*/, "")], base.replace(/<.*/, "")));
  return found;
}

const CONFIGURATION = "dist/configuration.d.ts";
const TYPES = "dist/types.d.ts";
const NATIVE = "native/index.d.ts";
const HOMES = {
  LockstepOptions: "dist/lockstep.d.ts", Guarded: "dist/lockstep.d.ts", Lockstep: "dist/lockstep.d.ts", ProtectOptions: "dist/cors.d.ts",
  Configured: CONFIGURATION, CoreOptions: CONFIGURATION, HostFunctions: "dist/decisions.d.ts", McpSeat: "dist/mcp.d.ts", Store: "dist/stores/store.d.ts",
  Scope: CONFIGURATION, Resource: CONFIGURATION, Client: CONFIGURATION, Registration: CONFIGURATION, ClientDocuments: CONFIGURATION, Document: CONFIGURATION,
  User: TYPES, ExternalToken: TYPES, Identity: TYPES, AuditEvent: TYPES, IssuedToken: TYPES,
  GrantSummary: NATIVE, Refusal: NATIVE, SignInQuestion: NATIVE, ConsentQuestion: NATIVE, RefreshQuestion: NATIVE,
};

/** Everything that a module exports, types included. */
function exported(file) {
  const text = declarations(file);
  const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, names]) => names.split(",")).map((name) => name.trim().replace(/^type /, "").replace(/^.* as /, ""));
  const own = [...text.matchAll(/^export declare (?:function|class|const) (\w+)|^export (?:interface|type) (\w+)/gm)].map(([, value, type]) => value ?? type);
  return [...lists.filter(Boolean), ...own];
}

/** The names of a method's parameters and of the members of an object among them. */
function parameters(method) {
  const [, text] = new RegExp(`^ {4}${method}\\(([\\s\\S]*?)\\): Promise`, "m").exec(declarations("dist/lockstep.d.ts"));
  const types = /: (?:readonly )?(?:string|number|Guarded|Claims)(?:\[\])?/g;
  return text.replace(types, "").match(/\w+/g).filter((name) => name !== "options");
}

function found(group) {
  if (group === "exports") return exported("dist/index.d.ts");
  if (group === "stores") return exported("dist/stores/index.d.ts");
  if (group === "errors") return Object.keys(esm).filter((name) => esm[name] === Error || esm[name].prototype instanceof Error);
  if (group === "options") return members(HOMES.LockstepOptions, "LockstepOptions");
  if (group === "require") return members(HOMES.Guarded, "Guarded");
  if (group === "protect") return members(HOMES.ProtectOptions, "ProtectOptions");
  if (group === "check_token" || group === "issue_personal_token") return parameters(camel(group));
  return members(HOMES[group], group);
}

for (const group of Object.keys(SURFACE)) {
  test(`${group} is what the file says`, () => {
    assert.deepEqual([...new Set(found(group))].sort(), named(group).sort());
  });
}

test("what is declared is there, in CommonJS and in ES modules", () => {
  const auth = authority();
  for (const name of named("Lockstep")) assert.ok(name in auth, name);
  for (const name of named("McpSeat")) assert.equal(typeof auth.mcp[name], "function", name);
  for (const [module, names] of [[esm, "exports"], [esmStores, "stores"]]) for (const name of Object.keys(module)) assert.ok(named(names).includes(name), name);
  assert.deepEqual(Object.keys(esm).sort(), Object.keys(require("lockstep-oauth")).sort());
  assert.deepEqual(Object.keys(esmStores).sort(), Object.keys(require("lockstep-oauth/stores")).sort());
});

test("the options that are declared are those that are taken", () => {
  const { refuseUnknown } = require("./configuration");
  refuseUnknown(Object.fromEntries(named("options").map((name) => [name, undefined])));
  assert.throws(() => refuseUnknown({ zzzzzzzz: 1 }), (error) => {
    assert.deepEqual(error.message.split("known are ")[1].split(", "), named("options").sort());
    return true;
  });
});
