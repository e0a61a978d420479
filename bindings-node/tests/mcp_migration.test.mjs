// The page for those who come from v1's router: every block runs, before and after, and what it says of old tokens holds.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import express from "express";
import { currentIdentity, InsufficientScope, lockstep } from "lockstep-oauth";
import { requireBearerAuth } from "lockstep-oauth/mcp-v1";
import { Connection, life, notes, parameter, post, says, SDKS, serving } from "./mcp_support.mjs";

const PAGE = readFileSync(new URL("../../docs/MIGRATING_FROM_MCP_AUTH_ROUTER.md", import.meta.url), "utf8");
const [diff] = [...PAGE.matchAll(/^```diff\n(.*?)^```$/gms)].map(([, text]) => text);
const [withV2, tool, bridge, sessions, ...others] = [...PAGE.matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text);
/** One side of the diff: what it takes away, or what it adds, with what stays. */
const side = (sign) => diff.split("\n").filter((line) => line === "" || line[0] === " " || line[0] === sign).map((line) => line.slice(1)).join("\n");

// Modules find the packages from here, as the app's own files do.
const folder = mkdtempSync(new URL("./.migration-", import.meta.url).pathname);
after(() => rmSync(folder, { recursive: true }));
let count = 0;
writeFileSync(join(folder, "provider.mjs"), "export const { NotesProvider } = globalThis.given;");

/** Runs a block as a module with these names in scope, and returns others that it made. */
async function run(block, given, made) {
  globalThis.given = given;
  const names = Object.keys(given).filter((name) => !new RegExp(`import.*\\b${name}\\b|const ${name}\\b`).test(block));
  const file = join(folder, `block-${++count}.mjs`);
  writeFileSync(file, `const { ${names.join(", ")} } = globalThis.given;\n${block}\nexport { ${made.join(", ")} };\n`);
  return import(file);
}

/** What such a provider is: `OAuthServerProvider` over maps, as v1's documentation shows it. */
class NotesProvider {
  clients = new Map();
  codes = new Map();
  tokens = new Map();
  clientsStore = {
    getClient: (id) => this.clients.get(id),
    registerClient: (client) => (this.clients.set(client.client_id, client), client),
  };

  async authorize(client, params, response) {
    const code = randomUUID();
    this.codes.set(code, { client, params });
    const back = new URL(params.redirectUri);
    back.searchParams.set("code", code);
    if (params.state !== undefined) back.searchParams.set("state", params.state);
    response.redirect(back.href);
  }

  challengeForAuthorizationCode = async (_client, code) => this.codes.get(code).params.codeChallenge;

  async exchangeAuthorizationCode(client, code) {
    const { params } = this.codes.get(code);
    return this.issue(client, params.scopes ?? ["notes:read"], params.resource);
  }

  issue(client, scopes, resource) {
    const access_token = randomUUID();
    this.tokens.set(access_token, { token: access_token, clientId: client.client_id, scopes, resource, expiresAt: Math.floor(Date.now() / 1000) + 3600, extra: { userId: "ada" } });
    return { access_token, refresh_token: randomUUID(), token_type: "bearer", expires_in: 3600, scope: scopes.join(" ") };
  }

  async exchangeRefreshToken() {
    throw new Error("not in this test");
  }

  async verifyAccessToken(token) {
    if (!this.tokens.has(token)) throw new Error("unknown");
    return this.tokens.get(token);
  }
}

const currentUser = () => ({ approve: { subject: "ada" } });
process.env.LOCKSTEP_KEYS = notes("http://127.0.0.1:1").keys; // the blocks leave keys to the environment
const LIST = { list: (given) => says((given.authInfo ?? given.http.authInfo).extra.identity?.subject ?? "of the old provider") };
const TOOLS = {
  ...LIST,
  add: () => {
    if (!currentIdentity().scopes.includes("notes:write")) throw new InsufficientScope("notes:write");
    return says("added");
  },
};

/** An origin whose app can be replaced while clients keep what they have. */
async function replaceable(context) {
  const place = { app: undefined };
  place.origin = await serving(context, () => (request, response) => place.app(request, response));
  return place;
}

async function old(place) {
  const { handler } = await SDKS.v1();
  const made = await run(side("-"), { ORIGIN: place.origin, NotesProvider, handleMcp: handler(LIST) }, ["app", "provider"]);
  place.app = made.app;
  return made.provider;
}

/** The block's own store would be a file in the working directory. */
const inMemory = (block) => block.replace("signIn: currentUser", 'signIn: currentUser, store: "memory:"');

for (const version of Object.keys(SDKS)) {
  test(`both sides of the diff serve a client of ${version}, and the new one its whole life`, async (context) => {
    const place = await replaceable(context);
    const sdk = await SDKS[version]();
    const provider = await old(place);
    const before = new Connection(sdk, place.origin);
    assert.equal(await before.call("list"), "of the old provider");
    const issuer = (await (await fetch(`${place.origin}/.well-known/oauth-authorization-server`)).json()).issuer;

    const { handler } = await SDKS.v1();
    place.app = (await run(inMemory(side("+")), { ORIGIN: place.origin, currentUser, handleMcp: handler(TOOLS) }, ["app"])).app;
    assert.equal((await (await fetch(`${place.origin}/.well-known/oauth-authorization-server`)).json()).issuer, issuer, "the issuer stays the same");
    await life(new Connection(sdk, place.origin));

    // The client from before: its registration and tokens are unknown now; the user agrees once more.
    const { client_id } = before.client;
    assert.ok(provider.clients.has(client_id));
    assert.equal(await before.call("list"), "ada");
    assert.notEqual(before.client.client_id, client_id);
    assert.equal(before.registrations, 2);
  });

  test(`a client of ${version} that has no refresh token stays with an error page until its connection is removed`, async (context) => {
    const place = await replaceable(context);
    const sdk = await SDKS[version]();
    await old(place);
    const stuck = new Connection(sdk, place.origin);
    await stuck.call("list");
    delete stuck.tokens.refresh_token;
    place.app = (await run(inMemory(side("+")), { ORIGIN: place.origin, currentUser, handleMcp: (await SDKS.v1()).handler(TOOLS) }, ["app"])).app;
    await assert.rejects(stuck.once("list"), sdk.UnauthorizedError);
    assert.equal((await fetch(stuck.wanted, { redirect: "manual" })).status, 400);
    assert.equal(await new Connection(sdk, place.origin).call("list"), "ada");
  });

  test(`configured clients and known tokens of before go on with a client of ${version}`, async (context) => {
    const place = await replaceable(context);
    const oldProvider = await old(place);
    const sdk = await SDKS[version]();
    const kept = new Connection(sdk, place.origin);
    await kept.call("list");
    const secret = new Connection(sdk, place.origin); // a client with a secret, as v1 registers it without being asked
    delete secret.provider.clientMetadata.token_endpoint_auth_method;
    await secret.call("list");
    assert.match(secret.client.client_secret, /^[0-9a-f]{64}$/);

    const options = notes(place.origin, { issuer: `${place.origin}/` });
    const given = { lockstep, options, oldProvider, oldClients: [...oldProvider.clients.values()] };
    const { provider } = await run(bridge, given, ["provider"]);
    const guard = provider.express.protect({ scopes: ["notes:read"] });
    place.app = express().use(provider.express()).all("/mcp", guard, (await SDKS.v1()).handler(TOOLS));

    const registered = kept.client.client_id;
    const { access_token } = kept.tokens;
    assert.equal(await kept.once("list"), "ada", "the old access token is known");
    const elsewhere = oldProvider.issue(kept.client, ["notes:read"], new URL("https://other.example/mcp")).access_token;
    assert.equal((await post(`${place.origin}/mcp`, elsewhere)).status, 401, "a token for another server is none for this one");

    for (const connection of [kept, secret]) {
      oldProvider.tokens.clear(); // the last old access token has run out
      assert.equal(await connection.call("list"), "ada");
      assert.equal(connection.registrations, 1, "the client needs no new registration");
      assert.ok(connection.tokens.scope.includes("notes:read"));
    }
    assert.equal(kept.client.client_id, registered);
    assert.notEqual(kept.tokens.access_token, access_token);
  });
}

test("the block for v2 serves both official clients", async (context) => {
  const { McpServer } = await import("@modelcontextprotocol/server");
  const notesServer = () => {
    const server = new McpServer({ name: "notes", version: "1.0.0" });
    server.registerTool("list", {}, LIST.list);
    return server;
  };
  const place = await replaceable(context);
  place.app = (await run(inMemory(withV2), { ORIGIN: place.origin, currentUser, notesServer }, ["app"])).app;
  for (const load of Object.values(SDKS)) assert.equal(await new Connection(await load(), place.origin).call("list"), "ada");
});

test("what `createMcpExpressApp` begins with is no hindrance below an app with the endpoints in front", async (context) => {
  const { createMcpExpressApp } = await import("@modelcontextprotocol/express");
  const { handler } = await SDKS.v2();
  const origin = await serving(context, (origin) => {
    const auth = lockstep(notes(origin));
    const below = createMcpExpressApp();
    below.all("/mcp", auth.express.protect({ scopes: ["notes:read"] }), (request, response) => handler(TOOLS)(request, response, request.body));
    return express().use(auth.express()).use(below);
  });
  for (const load of Object.values(SDKS)) await life(new Connection(await load(), origin));
});

test("the block for tools asks for more", async (context) => {
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js");
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js");
  let provider;
  const origin = await serving(context, (origin) => {
    provider = lockstep(notes(origin));
    return express().all("/mcp", requireBearerAuth({ verifier: provider, requiredScopes: ["notes:read"] }), async (request, response) => {
      const server = new McpServer({ name: "notes", version: "1.0.0" });
      await run(tool, { server, provider }, []);
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
      await server.connect(transport);
      await transport.handleRequest(request, response);
    });
  });
  const call = async (...scopes) => {
    const { token } = await provider.issuePersonalToken("ada", { name: scopes.join(), scopes, expiresIn: 60 });
    return post(`${origin}/mcp`, token, { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add_note", arguments: {} } });
  };
  const refused = await call("notes:read");
  assert.equal(refused.status, 403);
  assert.equal(parameter(refused.headers.get("www-authenticate"), "scope"), "notes:read notes:write");
  const added = await call("notes:read", "notes:write");
  assert.equal(added.status, 200);
  assert.match(await added.text(), /added/);
});

test("the block for sessions keeps one user's session from another", async (context) => {
  const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js");
  const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js");
  const connected = async (keep) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, onsessioninitialized: (id) => keep(id, transport) });
    await new McpServer({ name: "notes", version: "1.0.0" }).connect(transport);
    return transport;
  };
  let auth;
  const origin = await serving(context, async (origin) => {
    auth = lockstep(notes(origin));
    const app = express();
    await run(sessions, { app, guard: auth.express.protect({ scopes: ["notes:read"] }), connected }, []);
    return app;
  });
  const tokenOf = async (subject) => (await auth.issuePersonalToken(subject, { name: "script", scopes: ["notes:read"], expiresIn: 60 })).token;
  const [ada, eve] = [await tokenOf("ada"), await tokenOf("eve")];
  const hello = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } } };
  const begun = await post(`${origin}/mcp`, ada, hello);
  assert.equal(begun.status, 200);
  const id = begun.headers.get("mcp-session-id");
  const asked = (token, session) =>
    fetch(`${origin}/mcp`, {
      method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 2, method: "ping" }),
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": session, "content-type": "application/json", accept: "application/json, text/event-stream" },
    });
  assert.equal((await asked(ada, id)).status, 200);
  assert.equal((await asked(eve, id)).status, 404);
  assert.equal((await asked(ada, randomUUID())).status, 404);
});

test("no block of the page is left out", () => {
  assert.deepEqual(others, []);
  assert.ok(diff && sessions);
});
