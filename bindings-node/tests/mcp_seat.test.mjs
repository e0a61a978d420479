// What `auth.mcp` gives to servers of the official SDK that keep its own gate, and the wrapper of handlers.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { test } from "node:test";
import express from "express";
import { ConfigurationError, currentIdentity, InsufficientScope, lockstep } from "lockstep-oauth";
import { parameter, post, says, SDKS, notes, serving } from "./mcp_support.mjs";
import { failures } from "./support.mjs";

const require = createRequire(import.meta.url);
/** The gates of the SDKs, from each copy that the packages hold. */
const GATES = {
  "v1 imported": async () => (await import("@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js")).requireBearerAuth,
  "v2 imported": async () => (await import("@modelcontextprotocol/express")).requireBearerAuth,
  "v2 required": async () => require("@modelcontextprotocol/express").requireBearerAuth,
};
const personal = async (auth, scopes = ["notes:read"], more = {}) =>
  (await auth.issuePersonalToken("ada", { name: scopes.join(" "), scopes, expiresIn: 60, ...more })).token;

/** What the SDK's own gate says of one resource. */
async function gated(context, requireBearerAuth, more = {}) {
  let auth;
  const origin = await serving(context, (origin) => {
    auth = lockstep(notes(origin, { resource: undefined, resources: [`${origin}/mcp`, `${origin}/api`], ...more }));
    const gate = requireBearerAuth(auth.mcp.bearerAuth({ scopes: ["notes:read"], resource: `${origin}/api` }));
    const app = express().use(auth.express()).all("/api", gate, (request, response) => response.json(request.auth));
    app.use((error, _request, response, _next) => response.status(500).send(String(error)));
    return app;
  });
  return { auth, origin, ask: (token) => post(`${origin}/api`, token) };
}

for (const [name, load] of Object.entries(GATES)) {
  test(`the gate of ${name} lets our tokens in, and refuses with the SDK's own errors`, async (context) => {
    const { auth, origin, ask } = await gated(context, await load());
    const api = { resource: `${origin}/api` };
    const metadata = `${origin}/.well-known/oauth-protected-resource/api`;

    const token = await personal(auth, ["notes:read"], api);
    const allowed = await ask(token);
    assert.equal(allowed.status, 200);
    const seen = await allowed.json();
    assert.equal(seen.token, token);
    assert.equal(seen.extra.identity.subject, "ada");
    assert.deepEqual(seen.scopes, ["notes:read"]);
    assert.equal(seen.resource, `${origin}/api`);
    assert.equal(seen.clientId, "ada", "a personal token is of no client");

    const none = await ask(undefined);
    assert.equal(none.status, 401);
    assert.equal(parameter(none.headers.get("www-authenticate"), "resource_metadata"), metadata);
    assert.equal((await fetch(metadata)).status, 200);

    const [grant] = await auth.listPersonalTokens("ada");
    await auth.revokePersonalToken("ada", grant.grantId);
    for (const [bad, why] of [["made up", /./], ["lst_none", /not known|unknown|valid/i], [token, /revoked|ended|unknown|valid/i], [await personal(auth), /./]]) {
      const refused = await ask(bad);
      assert.equal(refused.status, 401, bad);
      const challenge = refused.headers.get("www-authenticate");
      assert.equal(parameter(challenge, "error"), "invalid_token");
      assert.equal(parameter(challenge, "resource_metadata"), metadata);
      const body = await refused.json();
      assert.equal(body.error, "invalid_token");
      assert.match(body.error_description, why);
    }

    const narrow = await ask(await personal(auth, ["notes:write"], api));
    assert.equal(narrow.status, 403);
    assert.equal(parameter(narrow.headers.get("www-authenticate"), "scope"), "notes:read");
  });

  test(`the gate of ${name} answers 500 while the store fails: the client keeps its token`, async (context) => {
    const { MemoryStore } = await import("lockstep-oauth/stores");
    const store = new MemoryStore();
    const { auth, origin, ask } = await gated(context, await load(), { store });
    const token = await personal(auth, ["notes:read"], { resource: `${origin}/api` });
    const told = failures(context);
    store.load = () => Promise.reject(new Error("the disk is gone"));
    assert.equal((await ask(token)).status, 500);
    assert.match(told.join(), /the disk is gone/);
  });
}

test("an app that requires v1 gets the error of the copy that it has required, and one without it an error of our own", () => {
  const script = (load) => `
    const { lockstep } = require("lockstep-oauth");
    const { newKeys } = require(${JSON.stringify(require.resolve("../dist/keys.js"))});
    ${load}
    const auth = lockstep({ issuer: "http://127.0.0.1:1", resource: "http://127.0.0.1:1/mcp", scopes: { "notes:read": "" }, store: "memory:", keys: newKeys(), signIn: () => null });
    auth.mcp.tokenVerifier().verifyAccessToken("nothing").then(() => process.exit(1), (error) => {
      const { OAuthError } = require("@modelcontextprotocol/server");
      console.log(JSON.stringify([ours(error), error instanceof OAuthError, error.code, error.toResponseObject().error]));
    });`;
  const said = (load) => {
    const run = spawnSync(process.execPath, ["-e", script(load)], { cwd: new URL("..", import.meta.url), encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
    return JSON.parse(run.stdout);
  };
  const required = `const { InvalidTokenError } = require("@modelcontextprotocol/sdk/server/auth/errors.js"); const ours = (error) => error instanceof InvalidTokenError;`;
  assert.deepEqual(said(required), [true, true, "invalid_token", "invalid_token"]);
  const absent = `
    const { Module } = require("node:module"); const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => { if (name.startsWith("@modelcontextprotocol/sdk")) throw new Error("not installed"); return resolve(name, ...rest); };
    const ours = (error) => error.constructor.name;`;
  assert.deepEqual(said(absent), ["InvalidTokenError", true, "invalid_token", "invalid_token"]);
});

for (const [version, load] of [["v1", GATES["v1 imported"]], ["v2", GATES["v2 imported"]]]) {
  test(`behind the gate of ${version} a wrapped handler knows who calls, and checks again`, async (context) => {
    const { handler } = await SDKS[version]();
    const requireBearerAuth = await load();
    let auth;
    const origin = await serving(context, (origin) => {
      auth = lockstep(notes(origin, { scopes: { "notes:read": "Read", "notes:write": "Write", "notes:all": { description: "All", implies: ["notes:write"] } } }));
      const tools = { add: auth.mcp.requires("notes:write", () => says(`added by ${currentIdentity().subject}`)) };
      return express().use(auth.express()).all("/mcp", requireBearerAuth(auth.mcp.bearerAuth()), handler(tools));
    });
    const call = async (scopes) => {
      const answer = await post(`${origin}/mcp`, await personal(auth, scopes), { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add", arguments: {} } });
      const text = await answer.text();
      return JSON.parse(text.split("\n").find((line) => line.startsWith("data:") || line.startsWith("{")).replace(/^data: ?/, "")).result;
    };
    assert.equal((await call(["notes:write"])).content[0].text, "added by ada");
    assert.equal((await call(["notes:all"])).content[0].text, "added by ada", "what a scope implies counts");
    const refused = await call(["notes:read"]);
    assert.equal(refused.isError, true);
    assert.match(refused.content[0].text, /needs notes:write/);
  });
}

test("outside of any guard a wrapped handler refuses, and what it is given and returns passes through", async () => {
  const auth = lockstep(notes("http://127.0.0.1:1"));
  const add = auth.mcp.requires(["notes:read", "notes:write"], (...args) => args);
  assert.throws(() => add({ text: "x" }, {}), InsufficientScope);
  const identity = { subject: "ada", scopes: ["notes:read", "notes:write"] };
  const context = { authInfo: { extra: { identity } } };
  assert.deepEqual(add({ text: "x" }, context), [{ text: "x" }, context]);
  assert.throws(() => add({ text: "x" }, { authInfo: { extra: { identity: { ...identity, scopes: ["notes:read"] } } } }), InsufficientScope);
});

test("what the seat is told wrongly is said when it is told", () => {
  const auth = lockstep(notes("http://127.0.0.1:1"));
  const wrong = [
    () => auth.mcp.toolScopes({ add: "notes:wirte" }),
    () => auth.mcp.requires("notes:wirte", () => undefined),
    () => auth.mcp.requires([], () => undefined),
    () => auth.mcp.requires("notes:write"),
    () => auth.mcp.tokenVerifier({ resource: "http://127.0.0.1:1/other" }),
    () => auth.mcp.bearerAuth({ scopes: ["notes:wirte"] }),
    () => auth.mcp.bearerAuth({ resource: "http://127.0.0.1:1/other" }),
  ];
  for (const one of wrong) assert.throws(one, ConfigurationError, String(one));
});
