// What only Express and plain node:http have: body parsers, routers, sockets.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import { test } from "node:test";
import express from "express";
import { InsufficientScope } from "lockstep-oauth";
import { authority, bearer, challengeOf, Flow, ORIGIN } from "./flow.mjs";
import { HOSTS, whoami } from "./hosts.mjs";
import { after, failures } from "./support.mjs";

const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}';
const JSON_TYPE = { "content-type": "application/json" };

async function withHost(name, auth, routes, settings, run) {
  const app = await HOSTS[name](auth, routes, settings);
  try {
    await run(app);
  } finally {
    await app.close();
  }
}

/** Sends bytes as they are, and resolves to all that comes back. */
async function raw(base, text, { cut = false } = {}) {
  const socket = connect(Number(new URL(base).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(text);
  const parts = [];
  socket.on("data", (part) => parts.push(part));
  if (cut) {
    await after(30);
    socket.destroy();
  }
  await once(socket, "close");
  return Buffer.concat(parts).toString();
}

test("a body parser in front of the endpoints is an error that names the fix", async () => {
  const caught = [];
  await withHost("express", authority(), {}, { before: [express.urlencoded({ extended: false })], caught }, async ({ ask }) => {
    assert.equal((await new Flow(ask).redeem("x")).status, 500);
    assert.equal(caught[0].name, "MisuseError");
    assert.match(caught[0].message, /put auth\.express\(\) in front of body parsers such as express\.json\(\)/);
  });
  // Parsers that leave the bytes, or that leave this request alone, are in nobody's way.
  for (const parser of [express.raw({ type: "*/*" }), express.json(), express.text({ type: "text/plain" })]) {
    await withHost("express", authority(), {}, { before: [parser] }, async ({ ask }) => {
      assert.equal((await new Flow(ask).tokens()).token_type, "Bearer");
    });
  }
  await withHost("express", authority(), {}, { before: [express.urlencoded({ extended: false })] }, async ({ ask }) => {
    assert.equal((await ask("/token", { method: "POST" })).status, 400); // nothing was there to be read
  });
});

test("a listener whose request was read before answers 500 and reports it", async (context) => {
  const told = failures(context);
  const auth = authority();
  const endpoints = auth.express.listener();
  const server = createServer(async (request, response) => {
    for await (const _ of request);
    endpoints(request, response);
  }).listen(0);
  await once(server, "listening");
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/token`, { method: "POST", body: "a=b" });
  assert.equal(answer.status, 500);
  assert.deepEqual(told, ["a request for an endpoint could not be answered"]);
  server.close();
  server.closeAllConnections();
});

test("auth.express without its call is an error, not a request that hangs", async () => {
  const auth = authority();
  const app = express();
  app.set("env", "test");
  app.use(auth.express);
  const server = createServer(app).listen(0);
  await once(server, "listening");
  const answer = await fetch(`http://127.0.0.1:${server.address().port}/`);
  assert.equal(answer.status, 500);
  server.close();
  server.closeAllConnections();
  assert.throws(() => auth.express({}), /app\.use\(auth\.express\(\)\)/);
  assert.throws(() => auth.express.requireBearer()({}, {}), { name: "MisuseError" });
});

test("a router below a path answers there, and says once what the origin must pass on", async (context) => {
  const warnings = [];
  const listen = ({ message }) => warnings.push(message);
  process.on("warning", listen);
  context.after(() => process.off("warning", listen));
  const inside = async (issuer, path) => {
    const app = express();
    const router = express.Router();
    router.use(authority({ issuer }).express());
    app.use("/auth", router);
    const server = createServer(app).listen(0);
    await once(server, "listening");
    const statuses = [];
    for (let times = 0; times < 2; times += 1) statuses.push((await fetch(`http://127.0.0.1:${server.address().port}${path}`)).status);
    server.close();
    server.closeAllConnections();
    await after(5);
    return statuses;
  };
  const metadata = "/.well-known/oauth-authorization-server";
  assert.deepEqual(await inside(`${ORIGIN}/auth`, `/auth${metadata}`), [200, 200]);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0], /answers below \/auth only: clients also ask the origin for .*\/\.well-known\/oauth-authorization-server/);
  assert.deepEqual(await inside(ORIGIN, "/auth/token"), [404, 404]);
  assert.equal(warnings.length, 2);
  assert.match(warnings[1], /set issuer to end in \/auth/);
});

test("a guard below a router sees the request's own target", async () => {
  const auth = authority();
  const app = express();
  const router = express.Router();
  router.get("/whoami", auth.require("notes:read"), (request, response) => response.json(request.identity.subject));
  app.use(auth.express());
  app.use("/api", router);
  const server = createServer(app).listen(0);
  await once(server, "listening");
  const base = `http://127.0.0.1:${server.address().port}`;
  const tokens = await new Flow((path, init) => fetch(base + path, { redirect: "manual", ...init })).tokens();
  assert.equal(await (await fetch(`${base}/api/whoami`, { headers: bearer(tokens.access_token) })).json(), "alice");
  assert.equal((await fetch(`${base}/api/whoami?access_token=x`, { headers: bearer(tokens.access_token) })).status, 400);
  server.close();
  server.closeAllConnections();
});

test("a client that goes away in the middle of a body is answered nothing, and nothing breaks", async (context) => {
  const told = failures(context);
  const caught = [];
  const ran = [];
  const routes = { "/mcp": { guard: ["protect", {}], run: (it) => (ran.push(1), it.answer(200, {})) } };
  for (const name of ["node:http", "express", "fastify", "hono"]) {
    const auth = authority();
    auth.toolScopes.set("add", ["notes:write"]);
    await withHost(name, auth, routes, { caught }, async ({ ask, base }) => {
      const token = (await new Flow(ask).tokens()).access_token;
      const head = (path) => `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\n`;
      assert.equal(await raw(base, `${head("/token")}grant_type=`, { cut: true }), "");
      assert.equal(await raw(base, `${head("/mcp")}{"jsonrpc"`, { cut: true }), "");
      await after(20);
      assert.equal((await ask("/.well-known/oauth-authorization-server")).status, 200);
    });
  }
  assert.deepEqual([caught, ran, told], [[], [], []]);
});

test("two Authorization headers are refused", async () => {
  for (const name of ["node:http", "express", "fastify", "hono"]) {
    await withHost(name, authority(), { "/mcp": { guard: ["protect", {}], ...whoami } }, {}, async ({ ask, base }) => {
      const token = (await new Flow(ask).tokens()).access_token;
      const head = (lines) => `GET /mcp HTTP/1.1\r\nHost: x\r\n${lines.map((line) => `${line}\r\n`).join("")}Connection: close\r\n\r\n`;
      assert.match(await raw(base, head([`Authorization: Bearer ${token}`])), /^HTTP\/1\.1 200 /);
      assert.match(await raw(base, head([`Authorization: Bearer ${token}`, "authorization: Bearer x"])), /^HTTP\/1\.1 40[01] /);
      assert.match(await raw(base, head(["Authorization: Bearer x", `AUTHORIZATION: Bearer ${token}`])), /^HTTP\/1\.1 40[01] /);
    });
  }
});

test("the body that a parser has read before the guard is what is checked", async () => {
  const calls = [];
  const run = async (it) => {
    calls.push(it.raw.request.body);
    return it.answer(200, {});
  };
  const auth = authority();
  auth.toolScopes.set("add", ["notes:write"]);
  await withHost("express", auth, { "/mcp": { guard: ["protect", {}], run } }, { parse: true }, async ({ ask }) => {
    const headers = { ...bearer((await new Flow(ask).tokens()).access_token), ...JSON_TYPE };
    assert.equal((await ask("/mcp", { method: "POST", headers, body: CALL })).status, 403);
    assert.equal((await ask("/mcp", { method: "POST", headers, body: `[${CALL}]` })).status, 403);
    assert.equal((await ask("/mcp", { method: "POST", headers, body: CALL.replace("add", "list") })).status, 200);
    assert.equal(calls.length, 1);
  });
  // Bytes and texts, too; and a reader that leaves nothing behind is an error.
  for (const [parser, status] of [[express.raw({ type: "*/*" }), 403], [express.text({ type: "*/*" }), 403], [async (request, response, next) => { for await (const _ of request); next(); }, 500]]) {
    const auth = authority();
    auth.toolScopes.set("add", ["notes:write"]);
    await withHost("express", auth, { "/mcp": { guard: ["protect", {}], run } }, { before: [(request, response, next) => (request.url === "/mcp" ? parser(request, response, next) : next())] }, async ({ ask }) => {
      const headers = { ...bearer((await new Flow(ask).tokens()).access_token), ...JSON_TYPE };
      assert.equal((await ask("/mcp", { method: "POST", headers, body: CALL })).status, status);
    });
  }
});

test("a body that a parser has left at {} without reading it hides no call", async () => {
  // Express 4 does this to every request that its parsers pass by.
  const auth = authority();
  auth.toolScopes.set("add", ["notes:write"]);
  const before = [(request, response, next) => ((request.body = {}), next())];
  await withHost("express", auth, { "/mcp": { guard: ["protect", {}], ...whoami } }, { before }, async ({ ask }) => {
    const headers = { ...bearer((await new Flow(ask).tokens()).access_token), ...JSON_TYPE };
    assert.equal((await ask("/mcp", { method: "POST", headers, body: CALL })).status, 403);
  });
});

test("two guards on one route, and a parser behind them", async () => {
  const auth = authority();
  auth.toolScopes.set("other", ["notes:write"]);
  const app = express();
  app.use(auth.express());
  app.use("/mcp", auth.express.protect());
  app.post("/mcp", auth.express.protect({ scopes: ["notes:read"] }), express.json(), (request, response) => response.json(request.body));
  const server = createServer(app).listen(0);
  await once(server, "listening");
  const base = `http://127.0.0.1:${server.address().port}`;
  const tokens = await new Flow((path, init) => fetch(base + path, { redirect: "manual", ...init })).tokens();
  const answer = await fetch(`${base}/mcp`, { method: "POST", headers: { ...bearer(tokens.access_token), ...JSON_TYPE }, body: CALL });
  assert.deepEqual(await answer.json(), JSON.parse(CALL));
  server.close();
  server.closeAllConnections();
});

test("requests are left with the listeners that they had", async () => {
  const auth = authority();
  auth.toolScopes.set("add", ["notes:write"]);
  const counts = [];
  const count = (request) => request.eventNames().map((name) => `${String(name)} ${request.listenerCount(name)}`).sort().join();
  const run = async (it) => {
    counts.push(count(it.raw.request));
    return it.answer(200, {});
  };
  const before = [(request, response, next) => {
    if (request.url === "/mcp") counts.push(count(request));
    next();
  }];
  await withHost("express", auth, { "/mcp": { guard: ["protect", {}], run } }, { before }, async ({ ask, server }) => {
    const tokens = await new Flow(ask).tokens();
    for (let times = 0; times < 3; times += 1) await (await ask("/mcp", { method: "POST", headers: bearer(tokens.access_token), body: CALL.replace("add", "list") })).json();
    assert.equal(counts.length, 6);
    assert.equal(new Set(counts).size, 1);
    const wider = await new Flow(ask).tokens("notes:write");
    assert.ok(wider.access_token);
    server.once("request", (request) => request.once("close", () => counts.push(count(request))));
    counts.length = 0;
    await new Flow(ask).redeem("x");
    await after(20);
    assert.ok(!counts.some((one) => /\b(data|readable|end|error) [1-9]/.test(one)), counts.join(" | "));
  });
});

test("a handler of plain node:http that throws something else fails as without a guard", async () => {
  const script = `
    import { createServer } from "node:http";
    import { authority, bearer, Flow } from "./flow.mjs";
    const auth = authority();
    const guard = auth.express.protect();
    let runs = 0;
    const server = createServer(auth.express.listener((request, response) => guard(request, response, () => {
      process.stdout.write(\`run \${(runs += 1)}\`);
      throw new TypeError("a mistake of the handler");
    }))).listen(0, async () => {
      const base = "http://127.0.0.1:" + server.address().port;
      const tokens = await new Flow((path, init) => fetch(base + path, { redirect: "manual", ...init })).tokens();
      await fetch(base + "/x", { headers: bearer(tokens.access_token) });
    });`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { cwd: import.meta.dirname });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"]) child[name].on("data", (text) => (output[name] += text));
  const [status] = await once(child, "close");
  assert.notEqual(status, 0);
  assert.match(output.stderr, /TypeError: a mistake of the handler/);
  assert.equal(output.stdout, "run 1");
});

test("headers of the failed answer are gone from the challenge, those of others stay", async () => {
  const run = (it) => {
    it.raw.response.setHeader("X-Of-The-Handler", "1");
    it.raw.response.setHeader("Content-Language", "en");
    it.raw.response.statusMessage = "Very Wrong";
    new InsufficientScope("notes:write");
    it.raw.response.writeHead(500, ["Content-Type", "text/plain"]);
    it.raw.response.write("something ");
    it.raw.response.end("else", () => undefined);
  };
  await withHost("node:http", authority(), { "/mcp": { guard: ["protect", {}], run } }, {}, async ({ ask }) => {
    const tokens = await new Flow(ask).tokens();
    const answer = await ask("/mcp", { headers: bearer(tokens.access_token) });
    assert.deepEqual([answer.status, answer.statusText, answer.headers.get("x-of-the-handler")], [403, "Forbidden", null]);
    assert.equal(challengeOf(answer).scope, "notes:write");
    assert.equal(Number(answer.headers.get("content-length")), (await answer.text()).length);
  });
});
