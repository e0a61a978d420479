// Where this host once said something else than the Python host: ../../conformance/differential finds such things.

import assert from "node:assert/strict";
import { test } from "node:test";
import { authority, MCP, ORIGIN } from "./flow.mjs";

test("an operation for nobody is a misuse, whichever it is", async () => {
  const auth = authority();
  for (const operate of [() => auth.signOutEverywhere(""), () => auth.revokeApp("", "x"), () => auth.issuePersonalToken("", { name: "x", scopes: [], expiresIn: 60 })]) {
    await assert.rejects(operate, { name: "MisuseError", at: "subject" });
  }
});

test("the way back keeps no character that RFC 3986 reserves", async () => {
  const auth = authority({ signIn: () => undefined, loginUrl: "/login" });
  const query = `response_type=code&client_id=demo&redirect_uri=https://client.example/cb&code_challenge=${"x".repeat(43)}&code_challenge_method=S256&resource=${MCP}&state=a(b)!*`;
  const answer = await auth.web.fetch(new Request(`${ORIGIN}/authorize?${query}`));
  const location = answer.headers.get("location");
  assert.match(location, /^\/login\?next=[\w.~%-]+$/);
  assert.match(location, /a%28b%29%21%2A/);
  assert.equal(answer.headers.get("content-type"), null, "a redirect is of no type");
});

test("only a header that names a parameter of a tool is allowed", async () => {
  const preflight = authority().web.protect({}, () => new Response());
  for (const [asked, allowed] of [["Mcp-Param-A_b-1", true], ["mcp-param-", false], ["mcp-param-a\xa0", false], ["mcp-param-a b", false]]) {
    const headers = { origin: "https://own.example", "access-control-request-method": "POST", "access-control-request-headers": asked };
    const answer = await preflight(new Request(MCP, { method: "OPTIONS", headers }));
    assert.equal(answer.headers.get("access-control-allow-headers").includes(asked), allowed, asked);
  }
});
