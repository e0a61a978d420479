// An MCP server of the official SDK behind a guard, and the official clients that go through the life of a connection with it.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { newKeys } from "../dist/keys.js";

console.warn = () => undefined; // the SDK's remarks on refusals that the tests ask for

/** The official SDKs, as one shape: a client, its transport, and a server with the notes tools behind a handler of Express. */
export const SDKS = {
  async v1() {
    const { Client } = await import("@modelcontextprotocol/sdk/client/index.js");
    const { StreamableHTTPClientTransport } = await import("@modelcontextprotocol/sdk/client/streamableHttp.js");
    const { auth, UnauthorizedError } = await import("@modelcontextprotocol/sdk/client/auth.js");
    const { McpServer } = await import("@modelcontextprotocol/sdk/server/mcp.js");
    const { StreamableHTTPServerTransport } = await import("@modelcontextprotocol/sdk/server/streamableHttp.js");
    const handler = (tools) => async (request, response) => {
      const server = withTools(new McpServer({ name: "notes", version: "1.0.0" }), tools);
      const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
      response.on("close", () => void transport.close());
      await server.connect(transport);
      await transport.handleRequest(request, response, request.body);
    };
    return { name: "v1", Client, Transport: StreamableHTTPClientTransport, UnauthorizedError, auth, handler };
  },
  async v2() {
    const { Client, StreamableHTTPClientTransport, UnauthorizedError, auth } = await import("@modelcontextprotocol/client");
    const { createMcpHandler, McpServer } = await import("@modelcontextprotocol/server");
    const { toNodeHandler } = await import("@modelcontextprotocol/node");
    const handler = (tools) => toNodeHandler(createMcpHandler(() => withTools(new McpServer({ name: "notes", version: "1.0.0" }), tools)));
    return { name: "v2", Client, Transport: StreamableHTTPClientTransport, UnauthorizedError, auth, handler };
  },
};

function withTools(server, tools) {
  for (const [name, run] of Object.entries(tools)) server.registerTool(name, { description: name }, run);
  return server;
}

/** What a tool answers. */
export const says = (text) => ({ content: [{ type: "text", text: String(text) }] });

/** Serves until the test is over: the listener is made with the origin that it will have. */
export async function serving(context, make) {
  let listener;
  const server = createServer((request, response) => listener(request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => (server.close(), server.closeAllConnections()));
  const origin = `http://127.0.0.1:${server.address().port}`;
  listener = await make(origin);
  return origin;
}

/** A configuration whose user says yes to whatever an app asks for. */
export const notes = (origin, more = {}) => ({
  issuer: origin,
  resource: `${origin}/mcp`,
  scopes: {
    "notes:read": "Read your notes",
    "notes:write": { description: "Add notes", default: false, optional: true },
    offline_access: { description: "Stay connected", default: false, optional: true },
  },
  store: "memory:",
  keys: newKeys(),
  signIn: () => ({ approve: { subject: "ada" } }),
  registration: { mode: "open" },
  ...more,
});

/** One client of an official SDK, with its tokens in memory and a browser whose user agrees. */
export class Connection {
  constructor(sdk, origin, path = "/mcp") {
    Object.assign(this, { sdk, origin, url: new URL(path, origin), seen: [], registrations: 0 });
    this.provider = {
      redirectUrl: "http://127.0.0.1:9/callback",
      clientMetadata: {
        client_name: "A client", redirect_uris: ["http://127.0.0.1:9/callback"], token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
      },
      clientInformation: () => this.client,
      saveClientInformation: (client) => ((this.client = client), this.registrations++),
      tokens: () => this.tokens,
      saveTokens: (tokens) => void (this.tokens = tokens),
      codeVerifier: () => this.verifier,
      saveCodeVerifier: (verifier) => void (this.verifier = verifier),
      discoveryState: () => this.discovery,
      saveDiscoveryState: (discovery) => void (this.discovery = discovery),
      redirectToAuthorization: (url) => void (this.wanted = url),
      invalidateCredentials: (what) => {
        if (what === "tokens" || what === "all") this.tokens = undefined;
        if (what === "client" || what === "all") this.client = undefined;
      },
    };
    this.fetch = async (url, init) => {
      const response = await fetch(url, init);
      this.seen.push({ path: new URL(url).pathname, status: response.status, challenge: response.headers.get("www-authenticate") ?? "" });
      return response;
    };
  }

  /** Calls a tool once. */
  async once(tool) {
    const client = new this.sdk.Client({ name: "test", version: "1.0.0" });
    this.transport = new this.sdk.Transport(this.url, { authProvider: this.provider, fetch: this.fetch });
    try {
      await client.connect(this.transport);
      const result = await client.callTool({ name: tool, arguments: {} });
      assert.ok(!result.isError, result.content[0]?.text);
      return result.content[0].text;
    } finally {
      await client.close();
    }
  }

  /** Calls a tool; when the SDK wants the user, the user agrees, and it is called again. */
  async call(tool) {
    try {
      return await this.once(tool);
    } catch (error) {
      if (this.sdk.name === "v1" && error.code === 403) await this.askForMore();
      else if (!(error instanceof this.sdk.UnauthorizedError)) throw error;
    }
    const answer = await fetch(this.wanted, { redirect: "manual" });
    assert.ok([302, 303].includes(answer.status), await answer.text()); // the browser is sent back to the client
    const back = new URL(answer.headers.get("location")).searchParams;
    await this.transport.finishAuth(this.sdk.name === "v1" ? back.get("code") : back);
    return this.once(tool);
  }

  /** v1 meets a 403 with a refresh, which never widens a grant, and gives up; so the app asks the user itself. */
  async askForMore() {
    const { challenge } = this.last(403);
    const scope = [...new Set([...this.tokens.scope.split(" "), ...parameter(challenge, "scope").split(" ")])].join(" ");
    this.tokens = undefined;
    await this.sdk.auth(this.provider, { serverUrl: this.url, scope, resourceMetadataUrl: new URL(parameter(challenge, "resource_metadata")), fetchFn: this.fetch });
  }

  last = (status) => this.seen.findLast((one) => one.status === status);
}

/** A parameter of a challenge. */
export const parameter = (challenge, name) => new RegExp(`${name}="([^"]*)"`).exec(challenge)?.[1];

/** From nothing to revocation, with a tool that any token may call (`list`) and one that needs `notes:write` (`add`). */
export async function life(connection) {
  const { origin } = connection;
  assert.equal(await connection.call("list"), "ada");
  const [first] = connection.seen.filter((one) => one.status === 401);
  assert.equal(parameter(first.challenge, "resource_metadata"), `${origin}/.well-known/oauth-protected-resource/mcp`);
  assert.equal(connection.registrations, 1);

  const before = connection.tokens;
  connection.tokens = { ...before, access_token: "expired" };
  assert.equal(await connection.once("list"), "ada");
  assert.notEqual(connection.tokens.refresh_token, before.refresh_token, "refresh rotates");

  assert.equal(await connection.call("add"), "added");
  assert.equal(parameter(connection.last(403).challenge, "error"), "insufficient_scope");
  assert.ok(parameter(connection.last(403).challenge, "scope").split(" ").includes("notes:write"));
  assert.ok(connection.tokens.scope.split(" ").includes("notes:write"));

  const { access_token, refresh_token } = connection.tokens;
  const revoked = await fetch(`${origin}/revoke`, { method: "POST", body: new URLSearchParams({ token: refresh_token, client_id: connection.client.client_id }) });
  assert.equal(revoked.status, 200);
  await assert.rejects(connection.once("list"), connection.sdk.UnauthorizedError);
  const dead = await post(`${origin}/mcp`, access_token);
  assert.equal(dead.status, 401);
  assert.equal(parameter(dead.headers.get("www-authenticate"), "error"), "invalid_token");
}

/** Sends a message to an MCP route, the way that clients do. */
export function post(url, token, message = { jsonrpc: "2.0", id: 1, method: "ping" }) {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  return fetch(url, { method: "POST", headers, body: JSON.stringify(message) });
}
