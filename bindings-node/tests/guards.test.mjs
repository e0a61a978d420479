// The guards, in every framework: tokens, CORS, scopes by tool, and challenges for what handlers find missing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { InsufficientScope, currentIdentity } from "lockstep-oauth";
import { authority, bearer, challengeOf, Flow, MCP, ORIGIN } from "./flow.mjs";
import { HOSTS, inEach, whoami } from "./hosts.mjs";

const guarded = (run, options = { scopes: ["notes:read"] }, kind = "protect") => ({ "/mcp": { guard: [kind, options], run } });
const KINDS = ["requireBearer", "protect"];

test("only a fitting token gets through", async (context) => {
  for (const kind of KINDS) {
    await inEach(context, () => ({ auth: authority(), routes: guarded(whoami.run, { scopes: ["notes:read"] }, kind) }), async ({ ask }) => {
      const tokens = await new Flow(ask).tokens();
      const answer = await ask("/mcp", { method: "POST", body: "hello", headers: bearer(tokens.access_token) });
      const told = await answer.json();
      assert.deepEqual([told.subject, told.current, told.client, told.scopes, told.body], ["alice", "alice", "demo", ["notes:read"], "hello"]);
      assert.equal(currentIdentity(), undefined);
      for (const headers of [{}, bearer(tokens.refresh_token), bearer("x"), { authorization: "Basic eDp5" }, { authorization: "Bearer" }, { authorization: `${bearer(tokens.access_token).authorization}, Bearer x` }]) {
        const refused = await ask("/mcp", { headers });
        assert.ok([400, 401].includes(refused.status), JSON.stringify(headers));
        if (refused.status === 401) assert.equal(challengeOf(refused).resource_metadata, `${ORIGIN}/.well-known/oauth-protected-resource/mcp`);
      }
      assert.equal((await ask(`/mcp?access_token=${tokens.access_token}`)).status, 401);
      // Beside a fitting token, too, a credential in the query is a request that was made wrongly.
      assert.equal((await ask(`/mcp?access_token=${tokens.access_token}`, { headers: bearer(tokens.access_token) })).status, 400);
      const head = await ask("/mcp", { method: "HEAD" });
      assert.deepEqual([head.status, await head.text()], [401, ""]);
    });
  }
});

test("a token without the scope, and a token for another resource", async (context) => {
  const api = `${ORIGIN}/api`;
  const routes = { "/mcp": { guard: ["protect", { scopes: ["notes:write"] }], ...whoami }, "/api": { guard: ["requireBearer", { resource: api }], ...whoami } };
  await inEach(context, () => ({ auth: authority({ resource: undefined, resources: [MCP, api] }), routes }), async ({ ask }) => {
    const tokens = await new Flow(ask).tokens("notes:read");
    const refused = await ask("/mcp", { headers: bearer(tokens.access_token) });
    assert.equal(refused.status, 403);
    assert.deepEqual([challengeOf(refused).error, challengeOf(refused).scope], ["insufficient_scope", "notes:write"]);
    assert.equal((await ask("/api", { headers: bearer(tokens.access_token) })).status, 401);
    const other = await new Flow(ask, { resource: api }).tokens();
    assert.equal((await ask("/api", { headers: bearer(other.access_token) })).status, 200);
  });
});

test("what guards less than was meant is refused at once", () => {
  const auth = authority();
  const handler = () => new Response();
  const seats = [auth.express, auth.fastify, auth.hono, { requireBearer: (options) => auth.web.requireBearer(options, handler), protect: (options) => auth.web.protect(options, handler) }];
  for (const seat of seats) {
    for (const kind of KINDS) {
      for (const wrong of ["notes:read", ["notes:read"], { scope: ["notes:read"] }, { scopes: "notes:read" }, { scopes: ["notes:raed"] }, { resource: "https://other.example" }, 7]) {
        assert.throws(() => seat[kind](wrong), { name: "ConfigurationError" }, `${kind}(${JSON.stringify(wrong)})`);
      }
    }
    assert.throws(() => seat.requireBearer({ origins: ["*"] }), /origins/);
    assert.throws(() => seat.protect({ origins: "https://own.example" }), /write \["https:\/\/own.example"\]/);
  }
  assert.throws(() => auth.require(["notes:read"]), { name: "ConfigurationError" });
  assert.throws(() => auth.web.protect({}), { name: "MisuseError" });
});

test("browsers may call a protected route", async (context) => {
  const preflight = { origin: "https://inspector.example", "access-control-request-method": "POST", "access-control-request-headers": "authorization,mcp-param-city,x-other" };
  await inEach(context, () => ({ auth: authority(), routes: guarded(whoami.run) }), async ({ ask }) => {
    const answer = await ask("/mcp", { method: "OPTIONS", headers: preflight });
    assert.deepEqual([answer.status, answer.headers.get("access-control-allow-origin"), await answer.text()], [204, "*", ""]);
    const allowed = answer.headers.get("access-control-allow-headers").toLowerCase().split(/, */);
    for (const name of ["authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "last-event-id", "mcp-method", "mcp-name", "mcp-param-city"]) assert.ok(allowed.includes(name), name);
    assert.ok(!allowed.includes("x-other"));
    assert.equal(answer.headers.get("access-control-allow-credentials"), null);

    const tokens = await new Flow(ask).tokens();
    for (const headers of [{}, bearer(tokens.access_token)]) {
      const called = await ask("/mcp", { method: "POST", headers: { ...headers, origin: "https://inspector.example" } });
      assert.equal(called.headers.get("access-control-allow-origin"), "*");
      assert.match(called.headers.get("access-control-expose-headers"), /WWW-Authenticate, Mcp-Session-Id/);
    }
    // An OPTIONS request that is no preflight needs a token like any other.
    assert.equal((await ask("/mcp", { method: "OPTIONS" })).status, 401);
  });
});

test("only the origins that are configured are allowed, and null leaves CORS to the app", async (context) => {
  const preflight = (origin) => ({ method: "OPTIONS", headers: { origin, "access-control-request-method": "POST" } });
  await inEach(context, () => ({ auth: authority(), routes: guarded(whoami.run, { origins: ["https://own.example"] }) }), async ({ ask }) => {
    const own = await ask("/mcp", preflight("https://own.example"));
    assert.deepEqual([own.status, own.headers.get("access-control-allow-origin"), own.headers.get("vary")], [204, "https://own.example", "Origin"]);
    const evil = await ask("/mcp", preflight("https://evil.example"));
    assert.equal(evil.status, 401);
    const tokens = await new Flow(ask).tokens();
    const called = await ask("/mcp", { headers: { ...bearer(tokens.access_token), origin: "https://own.example" } });
    assert.deepEqual([called.headers.get("access-control-allow-origin"), called.headers.get("vary")], ["https://own.example", "Origin"]);
  });
  await inEach(context, () => ({ auth: authority(), routes: guarded(whoami.run, { origins: null }) }), async ({ ask }) => {
    assert.equal((await ask("/mcp", preflight("https://own.example"))).status, 401);
  });
});

test("a missing scope that a handler throws becomes a challenge", async (context) => {
  const throwing = [
    (it) => { throw new InsufficientScope("notes:write"); },
    async (it) => {
      await new Promise((settle) => setTimeout(settle, 1));
      throw new InsufficientScope("notes:write");
    },
  ];
  for (const kind of KINDS) {
    for (const run of throwing) {
      await inEach(context, () => ({ auth: authority(), routes: guarded(run, { scopes: ["notes:read"] }, kind) }), async ({ ask }) => {
        const tokens = await new Flow(ask).tokens();
        for (const method of ["GET", "POST"]) {
          const answer = await ask("/mcp", { method, headers: { ...bearer(tokens.access_token), origin: "https://x.example" } });
          assert.deepEqual([answer.status, answer.statusText || "Forbidden"], [403, "Forbidden"]);
          assert.deepEqual([challengeOf(answer).error, challengeOf(answer).scope], ["insufficient_scope", "notes:read notes:write"]);
          assert.equal((await answer.json()).error, "insufficient_scope");
          assert.equal(answer.headers.get("access-control-allow-origin"), "*");
        }
      });
    }
  }
});

const failed = { jsonrpc: "2.0", id: 1, result: { isError: true, content: [] } };
const done = { jsonrpc: "2.0", id: 1, result: { content: [] } };
const event = (message) => `event: message\r\ndata: ${JSON.stringify(message)}\r\n\r\n`;

test("a missing scope becomes a challenge even where something swallows the exception", async (context) => {
  const inJson = (it) => {
    new InsufficientScope("notes:write");
    return it.answer(200, failed);
  };
  const inEvents = (it) => it.events((async function* () {
    await new Promise((settle) => setTimeout(settle, 5));
    new InsufficientScope("notes:write");
    yield "id: 1\r\nretry: 100\r\ndata: \r\n\r\n";
    yield event({ jsonrpc: "2.0", method: "notifications/message" });
    const text = event(failed);
    yield text.slice(0, 20);
    yield text.slice(20);
    yield "data: never heard\n\n";
  })());
  for (const run of [inJson, inEvents]) {
    await inEach(context, () => ({ auth: authority(), routes: guarded(run) }), async ({ ask }) => {
      const tokens = await new Flow(ask).tokens();
      const answer = await ask("/mcp", { method: "POST", headers: bearer(tokens.access_token), body: "{}" });
      assert.equal(answer.status, 403, await answer.clone().text());
      assert.equal(challengeOf(answer).scope, "notes:read notes:write");
      assert.equal((await answer.json()).error, "insufficient_scope");
    });
  }
});

test("a handler that gets along without the scope is left alone, and so is what comes too late", async (context) => {
  const missing = () => void new InsufficientScope("notes:write");
  const cases = [
    (it) => (missing(), it.answer(200, done)),
    (it) => (missing(), it.events((async function* () { yield event(done); })())),
    (it) => (missing(), it.events((async function* () { yield ": still there\n\n"; yield event(failed); })())),
    (it) => it.events((async function* () { yield event(done); missing(); yield event(failed); })()),
  ];
  for (const run of cases) {
    await inEach(context, () => ({ auth: authority(), routes: guarded(run) }), async ({ ask }) => {
      const tokens = await new Flow(ask).tokens();
      const answer = await ask("/mcp", { method: "POST", headers: bearer(tokens.access_token), body: "{}" });
      assert.equal(answer.status, 200);
      assert.match(await answer.text(), /"jsonrpc"/);
    });
  }
});

test("a stream passes through as it comes, and its end by the client is told", async (context) => {
  const steps = [];
  const waiting = [];
  const next = () => new Promise((settle) => waiting.push(settle));
  const run = (it) => it.events((async function* () {
    try {
      yield "data: 1\n\n";
      await next();
      yield "data: 2\n\n";
      await next();
      yield "data: 3\n\n";
      steps.push("sent");
    } finally {
      steps.push("over");
    }
  })());
  await inEach(context, () => ({ auth: authority(), routes: guarded(run) }), async ({ ask }) => {
    const tokens = await new Flow(ask).tokens();
    for (const method of ["GET", "POST"]) {
      const answer = await ask("/mcp", { method, headers: bearer(tokens.access_token) });
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      assert.equal((await reader.read()).value, "data: 1\n\n"); // while the second is still waited for
      while (waiting.length === 0) await new Promise((settle) => setImmediate(settle));
      waiting.shift()();
      assert.equal((await reader.read()).value, "data: 2\n\n");
      while (waiting.length === 0) await new Promise((settle) => setImmediate(settle));
      waiting.shift()();
      assert.equal((await reader.read()).value, "data: 3\n\n");
      assert.equal((await reader.read()).done, true);
    }
  });
  assert.equal(steps.filter((step) => step === "sent").length, 12);
});

const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}';
const BODIES = [
  ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}', 200],
  [CALL, 403],
  [`[{"jsonrpc":"2.0","id":1,"method":"ping"},${CALL}]`, 403],
  [CALL.replace("add", "\\u0061dd"), 403],
  ['{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"add"}}', 400],
  ['{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","name":"list"}}', 400],
  [Buffer.from(CALL, "utf16le"), 400],
  [`\ufeff${CALL}`, 400],
  ["[".repeat(100_000), 400],
  [`  \r\n${CALL}`, 403],
  ["name=add&method=tools/call", 200],
  [Buffer.from("fffe0062", "hex"), 200],
  [`{${" ".repeat(4 * 1024 * 1024)}`, 413],
  ["x".repeat(4 * 1024 * 1024 + 1), 200],
  ["", 200],
];

test("what a tool needs is checked before the handler runs", async (context) => {
  const ran = [];
  const run = async (it) => {
    ran.push(await it.body());
    return it.answer(200, {});
  };
  for (const settings of [{}, { at: "preHandler" }]) {
    const hosts = settings.at === undefined ? Object.keys(HOSTS) : ["fastify"];
    await inEach(context, () => ({ auth: authority(), routes: guarded(run), settings }), async ({ ask }, auth) => {
      auth.toolScopes.set("add", ["notes:write"]);
      const tokens = await new Flow(ask).tokens();
      for (const [body, status] of BODIES) {
        ran.length = 0;
        const shown = body.toString().slice(0, 90);
        const answer = await ask("/mcp", { method: "POST", headers: { ...bearer(tokens.access_token), origin: "https://x.example" }, body });
        assert.equal(answer.status, status, shown);
        if (status === 200) assert.ok(ran.length === 1 && ran[0].equals(Buffer.from(body)), shown);
        else assert.equal(ran.length, 0, shown);
        if (status === 403) assert.equal(challengeOf(answer).scope, "notes:read notes:write");
        assert.equal(answer.headers.get("access-control-allow-origin"), "*");
        await answer.arrayBuffer();
      }
      const wider = await new Flow(ask).tokens("notes:read notes:write");
      ran.length = 0;
      assert.equal((await ask("/mcp", { method: "POST", headers: bearer(wider.access_token), body: CALL })).status, 200);
      assert.equal(ran[0].toString(), CALL);
    }, hosts);
  }
});

test("a call that arrives in pieces is checked like one in one piece", async (context) => {
  const run = async (it) => it.answer(200, { body: (await it.body()).toString() });
  await inEach(context, () => ({ auth: authority(), routes: guarded(run) }), async ({ ask }, auth) => {
    auth.toolScopes.set("add", ["notes:write"]);
    const tokens = await new Flow(ask).tokens();
    const send = (text, size) => {
      const bytes = Buffer.from(text);
      let at = 0;
      const body = new ReadableStream({
        async pull(controller) {
          await new Promise((settle) => setTimeout(settle, 1));
          if (at >= bytes.length) return controller.close();
          controller.enqueue(new Uint8Array(bytes.subarray(at, at + size)));
          at += size;
        },
      });
      return ask("/mcp", { method: "POST", headers: bearer(tokens.access_token), body, duplex: "half" });
    };
    for (const size of [1, 3, 64]) assert.equal((await send(CALL, size)).status, 403, `${size}`);
    for (const text of [CALL.replace("add", "list"), "name=add", ""]) {
      const answer = await send(text, 3);
      assert.deepEqual([answer.status, (await answer.json()).body], [200, text]);
    }
  });
});
