// The whole life of a connection: servers of the official SDKs, v1 and v2, and both official clients against each.

import assert from "node:assert/strict";
import { test } from "node:test";
import express from "express";
import { currentIdentity, InsufficientScope, lockstep } from "lockstep-oauth";
import { mcpAuthRouter, requireBearerAuth } from "lockstep-oauth/mcp-v1";
import { Connection, life, notes, parameter, post, says, SDKS, serving } from "./mcp_support.mjs";

/** One tool for any token, and one that asks for more when it runs. */
const TOOLS = {
  list: () => says(currentIdentity().subject),
  add: () => {
    if (!currentIdentity().scopes.includes("notes:write")) throw new InsufficientScope("notes:write");
    return says("added");
  },
};

/** How a route is guarded: by the functions with v1's names, or by ours. */
const SEATS = {
  "mcp-v1": (auth) => [mcpAuthRouter({ provider: auth }), requireBearerAuth({ verifier: auth, requiredScopes: ["notes:read"] })],
  express: (auth) => [auth.express(), auth.express.protect({ scopes: ["notes:read"] })],
};

for (const [seat, guards] of Object.entries(SEATS)) {
  for (const server of Object.keys(SDKS)) {
    for (const client of Object.keys(SDKS)) {
      test(`${seat}: a server of ${server} and a client of ${client} authorize, call, refresh, step up and revoke`, async (context) => {
        const { handler } = await SDKS[server]();
        const origin = await serving(context, (origin) => {
          const [router, guard] = guards(lockstep(notes(origin)));
          return express().use(router).all("/mcp", guard, handler(TOOLS));
        });
        await life(new Connection(await SDKS[client](), origin));
      });
    }
  }

  test(`${seat}: scopes by tool are answered before the tool runs, with all that the call needs`, async (context) => {
    const ran = [];
    const { handler } = await SDKS.v2();
    let auth;
    const origin = await serving(context, (origin) => {
      auth = lockstep(notes(origin));
      auth.mcp.toolScopes({ add: "notes:write" });
      const [router, guard] = guards(auth);
      const tools = { list: () => says("listed"), add: () => (ran.push("add"), says("added")) };
      return express().use(router).all("/mcp", guard, handler(tools));
    });
    const calling = (name) => ({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });
    const { token } = await auth.issuePersonalToken("ada", { name: "script", scopes: ["notes:read"], expiresIn: 60 });
    const refused = await post(`${origin}/mcp`, token, calling("add"));
    assert.equal(refused.status, 403);
    assert.equal(parameter(refused.headers.get("www-authenticate"), "scope"), "notes:read notes:write");
    assert.deepEqual(ran, []);
    assert.equal((await post(`${origin}/mcp`, token, calling("list"))).status, 200);
    const both = await auth.issuePersonalToken("ada", { name: "other", scopes: ["notes:read", "notes:write"], expiresIn: 60 });
    assert.equal((await post(`${origin}/mcp`, both.token, calling("add"))).status, 200);
    assert.deepEqual(ran, ["add"]);
  });
}
