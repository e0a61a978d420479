// The official MCP SDK behind the guard, v1 and v2, with answers in JSON and in events: it swallows what a tool throws, and the
// challenge appears all the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer as ServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { WebStandardStreamableHTTPServerTransport as WebV1 } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { createMcpHandler, McpServer as ServerV2, WebStandardStreamableHTTPServerTransport as WebV2 } from "@modelcontextprotocol/server";
import { InsufficientScope, currentIdentity } from "lockstep-oauth";
import { authority, bearer, challengeOf, Flow } from "./flow.mjs";
import { inEach } from "./hosts.mjs";
import { after } from "./support.mjs";

function tools(server) {
  const text = (text) => ({ content: [{ type: "text", text }] });
  server.registerTool("whoami", { description: "Says who is calling." }, async (context) => {
    await after(2);
    const info = context.authInfo ?? context.http?.authInfo;
    return text(`${currentIdentity().subject} ${info.clientId} ${info.extra.identity.subject}`);
  });
  server.registerTool("add", { description: "Needs more." }, async () => {
    await after(2);
    if (!currentIdentity().scopes.includes("notes:write")) throw new InsufficientScope("notes:write");
    return text("added");
  });
  server.registerTool("broken", { description: "Throws something else." }, async () => {
    throw new Error("broken");
  });
  return server;
}

const connected = async (Server, transport) => {
  await tools(new Server({ name: "notes", version: "1.0.0" })).connect(transport);
  return transport;
};

const handler = () => createMcpHandler(() => tools(new ServerV2({ name: "notes", version: "1.0.0" })));

/** Ways to serve a request over node:http. */
const OVER_NODE = {
  v1: (json) => async ({ raw: { request, response } }, body) => (await connected(ServerV1, new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: json }))).handleRequest(request, response, body),
  v2: (json) => async ({ raw: { request, response } }, body) => (await connected(ServerV2, new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: json }))).handleRequest(request, response, body),
  "v2 handler": () => ({ raw: { request, response } }, body) => toNodeHandler(handler())(request, response, body),
};

/** Ways to serve a web-standard request. */
const OVER_WEB = {
  v1: (json) => async ({ raw: { request }, auth }) => (await connected(ServerV1, new WebV1({ sessionIdGenerator: undefined, enableJsonResponse: json }))).handleRequest(request, { authInfo: auth }),
  v2: (json) => async ({ raw: { request }, auth }) => (await connected(ServerV2, new WebV2({ sessionIdGenerator: undefined, enableJsonResponse: json }))).handleRequest(request, { authInfo: auth }),
  "v2 handler": () => ({ raw: { request }, auth }) => handler().fetch(request, { authInfo: auth }),
};

const HEADERS = { "content-type": "application/json", accept: "application/json, text/event-stream" };
const message = (name) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: {} } });

/** The result, from JSON or out of the first event. */
async function resultOf(answer) {
  const text = await answer.text();
  const data = /^data: (\{.*\})$/m.exec(text)?.[1] ?? text;
  return JSON.parse(data).result;
}

async function check({ ask }) {
  const flow = new Flow(ask);
  const { access_token: token } = await flow.tokens("notes:read");
  const call = (name, credential = token) => ask("/mcp", { method: "POST", headers: { ...HEADERS, ...bearer(credential) }, body: message(name) });

  const who = await call("whoami");
  assert.equal(who.status, 200);
  assert.equal((await resultOf(who)).content[0].text, "alice demo alice");

  const refused = await call("add");
  assert.equal(refused.status, 403, await refused.clone().text());
  assert.deepEqual([challengeOf(refused).error, challengeOf(refused).scope], ["insufficient_scope", "notes:read notes:write"]);

  const broken = await call("broken");
  assert.equal(broken.status, 200);
  assert.equal((await resultOf(broken)).isError, true);

  const wider = await flow.tokens("notes:read notes:write");
  const added = await call("add", wider.access_token);
  assert.equal((await resultOf(added)).content[0].text, "added");
}

for (const json of [true, false]) {
  for (const version of ["v1", "v2", "v2 handler"]) {
    if (version === "v2 handler" && json) continue; // it chooses by itself
    test(`${version}, answers in ${json ? "JSON" : "events"}`, async (context) => {
      const overNode = OVER_NODE[version](json);
      const overWeb = OVER_WEB[version](json);
      const run = (name) => async (it) => {
        if (name === "fastify") {
          it.reply.hijack();
          return overNode(it, JSON.parse((await it.body()).toString()));
        }
        return name === "node:http" || name === "express" ? overNode(it, it.raw.request.body) : overWeb(it);
      };
      const make = (settings) => (name) => ({ auth: authority(), routes: { "/mcp": { guard: ["protect", { scopes: ["notes:read"] }], run: run(name) } }, settings });
      await inEach(context, make({}), check);
      await inEach(context, make({ parse: true }), check, ["express"]);
      await inEach(context, make({ at: "preHandler" }), check, ["fastify"]);
      // The scopes by name, before the tool runs.
      await inEach(context, make({}), async (app, auth) => {
        auth.toolScopes.set("add", ["notes:write"]);
        await check(app);
      });
    });
  }
}
