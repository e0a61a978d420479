// The seat in the official SDKs, with the SDKs' own types.

import { requireBearerAuth as gateOfV2 } from "@modelcontextprotocol/express";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { requireBearerAuth as gateOfV1 } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import type { OAuthTokenVerifier } from "@modelcontextprotocol/sdk/server/auth/provider.js";
import { McpServer as ServerOfV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createMcpHandler, McpServer, type OAuthTokenVerifier as VerifierOfV2 } from "@modelcontextprotocol/server";
import express from "express";
import { currentIdentity, lockstep } from "lockstep-oauth";
import { mcpAuthRouter, requireBearerAuth } from "lockstep-oauth/mcp-v1";
import { z } from "zod";

const auth = lockstep({ issuer: "https://notes.example", resource: "https://notes.example/mcp", scopes: ["notes:write"], signIn: () => undefined });
export const verifiers: [OAuthTokenVerifier, VerifierOfV2] = [auth.mcp.tokenVerifier(), auth.mcp.tokenVerifier({ resource: "https://notes.example/mcp" })];
auth.mcp.toolScopes({ add: "notes:write", remove: ["notes:write"] });

const says = (text: string) => ({ content: [{ type: "text" as const, text }] });
const handler = toNodeHandler(
  createMcpHandler(() => {
    const server = new McpServer({ name: "notes", version: "1.0.0" });
    const inputSchema = z.object({ text: z.string() });
    server.registerTool("add", { inputSchema }, auth.mcp.requires("notes:write", ({ text }: { text: string }) => says(text)));
    server.registerTool("whoami", {}, (context) => says(String(context.http?.authInfo?.extra?.["identity"] === currentIdentity())));
    return server;
  }),
);

const app = express();
app.use(mcpAuthRouter({ provider: auth, issuerUrl: new URL("https://notes.example"), scopesSupported: ["notes:write"] }));
app.all("/mcp", requireBearerAuth({ verifier: auth, requiredScopes: ["notes:write"] }), async (request, response) => {
  const server = new ServerOfV1({ name: "notes", version: "1.0.0" });
  server.registerTool("add", { inputSchema: { text: z.string() } }, auth.mcp.requires(["notes:write"], async ({ text }: { text: string }) => says(text)));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(request, response, request.body);
});
app.all("/v1", gateOfV1(auth.mcp.bearerAuth({ scopes: ["notes:write"] })), handler);
app.all("/v2", gateOfV2(auth.mcp.bearerAuth()), handler);

// @ts-expect-error a provider of v1 is no Lockstep
mcpAuthRouter({ provider: { clientsStore: {} } });
// @ts-expect-error a handler is a function
auth.mcp.requires("notes:write", "add");
