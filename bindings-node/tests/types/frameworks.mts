// Every adapter as an ES module uses it, with the frameworks' own types.

import { serve } from "@hono/node-server";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/server";
import { NodeStreamableHTTPServerTransport } from "@modelcontextprotocol/node";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { createServer } from "node:http";
import { ConfigurationError, type AuthInfo, currentIdentity, type Identity, InsufficientScope, lockstep, type SignInAnswer } from "lockstep-oauth";

const auth = lockstep({
  issuer: "https://notes.example",
  resource: "https://notes.example/mcp",
  scopes: { "notes:read": "Read your notes", "notes:write": { description: "Change them", optional: true } },
  signIn: async (request: express.Request): Promise<SignInAnswer> => (request.get("cookie") ? { subject: "alice" } : { signIn: "/login" }),
  onEvent: (event) => console.log(event.id),
});

// Express
const app = express();
app.use(auth.express());
app.get("/notes", auth.require("notes:read"), (request, response) => {
  const subject: string | undefined = request.identity?.subject;
  response.json({ subject });
});
app.post("/notes", auth.express.requireBearer({ scopes: ["notes:write"] }), express.json(), (request, response) => void response.json(request.identity?.claims));
app.all("/mcp", auth.express.protect({ scopes: ["notes:read"], origins: ["https://app.example"] }), async (request, response) => {
  const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await transport.handleRequest(request, response, request.body);
});
createServer(auth.express.listener((_request, response) => void response.end())).listen(0);

// Fastify
const fastify = Fastify();
fastify.register(auth.fastify());
await fastify.register(auth.fastify());
fastify.get("/notes", { onRequest: auth.fastify.requireBearer({ scopes: ["notes:read"] }) }, async (request) => {
  const identity: Identity | undefined = request.identity;
  return identity?.subject;
});
fastify.post<{ Body: { text: string } }>("/notes", { preHandler: [auth.fastify.protect()] }, async (request) => [request.body.text, request.identity?.grantId]);

// Hono
const hono = new Hono();
hono.use(auth.hono());
hono.get("/notes", auth.hono.requireBearer({ scopes: ["notes:read"] }), (c) => {
  const identity: Identity = c.get("identity");
  return c.json({ subject: identity.subject });
});
hono.use("/mcp", auth.hono.protect({ origins: null }));
hono.all("/mcp", async (c) => {
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  const authInfo: AuthInfo = c.get("auth");
  return transport.handleRequest(c.req.raw, { authInfo });
});
serve(hono);

// Web-standard handlers
export const GET = auth.web.fetch;
export const POST = auth.web.protect({ scopes: ["notes:read"] }, async (request, identity, authInfo, context: { params: { id: string } }) => {
  const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  if (!auth.covers(identity, ["notes:write"])) throw new InsufficientScope("notes:write");
  return context.params.id ? transport.handleRequest(request, { authInfo }) : new Response(identity.subject);
});
export const PUT = auth.web.requireBearer({}, (_request, identity) => Response.json(currentIdentity()?.subject === identity.subject));
const answered: Promise<Response> = PUT(new Request("https://notes.example/"));
console.log(answered);

// What must not compile.
// @ts-expect-error: the scopes by their name
auth.express.requireBearer(["notes:read"]);
// @ts-expect-error: a misspelt member
auth.fastify.protect({ scope: ["notes:read"] });
// @ts-expect-error: CORS is the affair of protect
auth.hono.requireBearer({ origins: ["*"] });
// @ts-expect-error: a handler must answer
auth.web.protect({}, () => 7);
// @ts-expect-error: an option that is missing
lockstep({ issuer: "https://notes.example" });
// @ts-expect-error: an identity is read, not changed
PUT.length && (currentIdentity()!.subject = "mallory");

try {
  auth.express.protect({ resource: "https://other.example" });
} catch (error) {
  if (error instanceof ConfigurationError) console.log(error.field);
}
