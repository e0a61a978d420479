// Further ways in beside a bearer token.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";
import { Hono } from "hono";
import { ConfigurationError, lockstep } from "../esm/index.mjs";

const ORIGIN = "http://127.0.0.1:1";
const auth = lockstep({
  issuer: ORIGIN,
  resources: [`${ORIGIN}/mcp`, `${ORIGIN}/api`],
  scopes: { "notes:read": "Read", "notes:write": { description: "Write", implies: ["notes:read"] } },
  store: "memory:",
  environment: { LOCKSTEP_KEYS: (await import("../dist/keys.js")).newKeys() },
  signIn: () => null,
});
const identity = (more) => ({ subject: "robot", clientId: "", scopes: [], resource: "", claims: {}, grantId: "", expiresAt: 2 ** 40, kind: "external", ...more });
const KEYS = {
  user: { subject: "ada", claims: { team: 7 } },
  writer: identity({ scopes: ["notes:write"] }),
  nobody: identity({}),
  elsewhere: identity({ scopes: ["notes:write"], resource: `${ORIGIN}/api` }),
  wrong: { name: "no subject" },
};
const guarded = {
  scopes: ["notes:read"],
  orApiKey: async (request) => KEYS[request.headers["x-api-key"]],
  orSession: (request) => (request.headers.cookie === "session=1" ? { subject: "bob" } : undefined),
};
const guard = auth.express.requireBearer(guarded);
const server = createServer((request, response) =>
  guard(request, response, (error) => response.writeHead(error ? 500 : 200).end(error ? error.message : JSON.stringify(request.identity))),
);
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
after(() => (server.close(), server.closeAllConnections(), auth.close()));
const ask = (headers) => fetch(`http://127.0.0.1:${server.address().port}/notes`, { headers });

test("a user that a way names may do what the guard asks for", async () => {
  const body = await (await ask({ "x-api-key": "user" })).json();
  assert.deepEqual([body.subject, body.kind, body.scopes, body.claims], ["ada", "external", ["notes:read"], { team: 7 }]);
  assert.equal((await (await ask({ cookie: "session=1" })).json()).subject, "bob");
});

test("an identity that a way names needs the scopes itself, what they imply included", async () => {
  assert.equal((await (await ask({ "x-api-key": "writer" })).json()).subject, "robot");
  const refused = await ask({ "x-api-key": "nobody" });
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("www-authenticate"), /insufficient_scope/);
});

test("an identity for another resource is nobody here, and the next way is asked", async () => {
  assert.equal((await ask({ "x-api-key": "elsewhere" })).status, 401);
  assert.equal((await (await ask({ "x-api-key": "elsewhere", cookie: "session=1" })).json()).subject, "bob");
});

test("a token that does not fit is refused, whatever other way there is", async () => {
  assert.equal((await ask({ authorization: "Bearer lsa_x", "x-api-key": "user" })).status, 401);
});

test("a way that answers nonsense fails, and lets nobody in", async () => {
  const failed = await ask({ "x-api-key": "wrong" });
  assert.equal(failed.status, 500);
  assert.match(await failed.text(), /orApiKey/);
});

test("web-standard handlers have the same ways", async () => {
  const app = new Hono();
  app.get("/notes", auth.hono.requireBearer({ ...guarded, orApiKey: (c) => KEYS[c.req.header("x-api-key")], orSession: () => null }), (c) => c.json(c.get("identity").subject));
  assert.equal(await (await app.request("/notes", { headers: { "x-api-key": "user" } })).json(), "ada");
  assert.equal((await app.request("/notes", { headers: { "x-api-key": "nobody" } })).status, 403);
  assert.equal((await app.request("/notes", { headers: { "x-api-key": "user", authorization: "Bearer x" } })).status, 401);
  assert.equal((await app.request("/notes")).status, 401);
});

test("the guard of an MCP route has no other way: a tool's scopes could be gone around", () => {
  assert.throws(() => auth.express.protect({ orSession: () => null }), ConfigurationError);
});
