// The functions with v1's names: what they take, what they compare, and what they refuse.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import express from "express";
import { ConfigurationError, lockstep } from "lockstep-oauth";
import { mcpAuthRouter, requireBearerAuth } from "lockstep-oauth/mcp-v1";
import { notes, parameter, post, serving } from "./mcp_support.mjs";

const ORIGIN = "http://127.0.0.1:1";
const provider = lockstep(notes(ORIGIN, { resource: undefined, resources: [`${ORIGIN}/mcp`, `${ORIGIN}/api`] }));
const well = `${ORIGIN}/.well-known/oauth-protected-resource`;

test("what v1 was told may stay where it says what Lockstep is configured with", () => {
  const urls = { issuerUrl: new URL(ORIGIN), baseUrl: new URL(ORIGIN), resourceServerUrl: new URL(`${ORIGIN}/mcp`) };
  mcpAuthRouter({ provider, ...urls, scopesSupported: ["notes:read"] });
  mcpAuthRouter({ provider, issuerUrl: `${ORIGIN}/`, resourceServerUrl: `${ORIGIN}/api` });
  requireBearerAuth({ verifier: provider, requiredScopes: ["notes:read"], resourceMetadataUrl: `${well}/mcp` });
  requireBearerAuth({ verifier: provider, expectedResource: new URL(`${ORIGIN}/api`), resourceMetadataUrl: `${well}/api` });
});

const REFUSED = {
  "provider: a Lockstep": () => mcpAuthRouter({ provider: { clientsStore: {}, authorize() {} } }),
  "verifier: a Lockstep": () => requireBearerAuth({ verifier: provider.mcp.tokenVerifier() }),
  "issuerUrl: https://other.example/ is not": () => mcpAuthRouter({ provider, issuerUrl: new URL("https://other.example") }),
  "resourceServerUrl: http://127.0.0.1:1/ is not": () => mcpAuthRouter({ provider, resourceServerUrl: new URL(ORIGIN) }),
  "expectedResource: https://other.example is not": () => requireBearerAuth({ verifier: provider, expectedResource: "https://other.example" }),
  "resourceMetadataUrl: x is not": () => requireBearerAuth({ verifier: provider, resourceMetadataUrl: "x" }),
  '"notes:wirte" is not configured': () => mcpAuthRouter({ provider, scopesSupported: ["notes:wirte"] }),
  '"notes:wirte" is not configured; known': () => requireBearerAuth({ verifier: provider, requiredScopes: ["notes:wirte"] }),
  "clientRegistrationOptions: this option": () => mcpAuthRouter({ provider, clientRegistrationOptions: { rateLimit: false } }),
  "tokenOptions: this option": () => mcpAuthRouter({ provider, tokenOptions: { rateLimit: false } }),
};

for (const [said, wrong] of Object.entries(REFUSED)) {
  test(`refused when it is configured: ${said}`, () => {
    assert.throws(wrong, (error) => error instanceof ConfigurationError && error.message.includes(said));
  });
}

test("an app that requires gets the same functions as one that imports", () => {
  const required = createRequire(import.meta.url)("lockstep-oauth/mcp-v1");
  assert.equal(required.mcpAuthRouter, mcpAuthRouter);
  assert.equal(required.requireBearerAuth, requireBearerAuth);
});

test("bodies that parsers have read are read all the same, and a parameter that comes twice still counts as two", async (context) => {
  for (const parsers of [[], [express.json(), express.urlencoded({ extended: false })], [express.json(), express.urlencoded({ extended: true })]]) {
    const origin = await serving(context, (origin) => {
      const app = express();
      for (const parser of parsers) app.use(parser);
      return app.use(mcpAuthRouter({ provider: lockstep(notes(origin)) }));
    });
    const registered = await fetch(`${origin}/register`, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: ["https://client.example/cb"], token_endpoint_auth_method: "none", client_name: "Zoë & Co" }),
    });
    assert.equal(registered.status, 201);
    const client = await registered.json();
    assert.equal(client.client_name, "Zoë & Co");
    const token = (pairs) => fetch(`${origin}/token`, { method: "POST", body: new URLSearchParams(pairs) });
    const form = [["grant_type", "authorization_code"], ["code", "made up"], ["client_id", client.client_id], ["code_verifier", "v".repeat(43)], ["redirect_uri", "https://client.example/cb"]];
    assert.equal((await (await token(form)).json()).error, "invalid_grant");
    const twice = await token([...form, ["code", "another"]]);
    assert.equal(twice.status, 400);
    assert.equal((await twice.json()).error, "invalid_request");
  }
});

test("a route's guard is of its resource, leaves CORS to the app, and puts on the request what v1's did", async (context) => {
  let auth;
  const origin = await serving(context, (origin) => {
    auth = lockstep(notes(origin, { resource: undefined, resources: [`${origin}/mcp`, `${origin}/api`] }));
    const guard = requireBearerAuth({ verifier: auth, requiredScopes: ["notes:read"], expectedResource: `${origin}/api` });
    return express().use(mcpAuthRouter({ provider: auth })).all("/api", guard, (request, response) => response.json(request.auth));
  });
  const token = async (resource) => (await auth.issuePersonalToken("ada", { name: resource, scopes: ["notes:read"], expiresIn: 60, resource: origin + resource })).token;
  const refused = await post(`${origin}/api`, await token("/mcp"));
  assert.equal(refused.status, 401);
  assert.equal(parameter(refused.headers.get("www-authenticate"), "resource_metadata"), `${origin}/.well-known/oauth-protected-resource/api`);
  const allowed = await post(`${origin}/api`, await token("/api"));
  assert.equal(allowed.headers.get("access-control-allow-origin"), null);
  const { token: text, clientId, scopes, resource, extra } = await allowed.json();
  assert.deepEqual([text, clientId, scopes, resource, extra.identity.subject], ["", "ada", ["notes:read"], `${origin}/api`, "ada"]);
});
