// What only Fastify, Hono and web-standard handlers have.

import assert from "node:assert/strict";
import { test } from "node:test";
import Fastify from "fastify";
import { Hono } from "hono";
import { InsufficientScope } from "lockstep-oauth";
import { authority, bearer, challengeOf, Flow, ORIGIN } from "./flow.mjs";
import { whoami } from "./hosts.mjs";

const METADATA = "/.well-known/oauth-authorization-server";
const CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add"}}';

/** Asks a Fastify app without a socket. */
const injecting = (app) => async (path, { method = "GET", headers = {}, body } = {}) => {
  const answer = await app.inject({ method, url: path, headers, ...(body === undefined ? {} : { payload: body }) });
  const all = new Headers();
  for (const [name, value] of Object.entries(answer.headers)) for (const one of [value].flat()) all.append(name, String(one));
  return new Response([204, 304].includes(answer.statusCode) ? null : answer.rawPayload, { status: answer.statusCode, headers: all });
};

test("Fastify: signIn has its request, with what plugins before have put there, and their headers go out", async () => {
  const seen = [];
  const auth = authority({
    signIn: (request) => {
      seen.push([request.session, request.raw.url.slice(0, 10)]);
      return { subject: request.session };
    },
  });
  const app = Fastify();
  app.decorateRequest("session", "");
  app.addHook("onRequest", async (request, reply) => {
    request.session = "erin";
    reply.header("Strict-Transport-Security", "max-age=1").header("Cache-Control", "public");
  });
  app.register(auth.fastify());
  app.get("/whoami", { onRequest: auth.fastify.requireBearer() }, async (request) => request.identity.subject);
  const ask = injecting(app);
  const flow = new Flow(ask);
  const page = await flow.page();
  assert.deepEqual([page.headers.get("strict-transport-security"), page.headers.get("cache-control")], ["max-age=1", "no-store"]);
  const tokens = await flow.tokens();
  assert.deepEqual(seen[0], ["erin", "/authorize"]);
  assert.equal(await (await ask("/whoami", { headers: bearer(tokens.access_token) })).text(), "erin");
  const refused = await ask("/whoami");
  assert.deepEqual([refused.status, refused.headers.get("strict-transport-security")], [401, "max-age=1"]);
  await app.close();
});

test("Fastify: wrong uses say what is right", async () => {
  const fails = async (set, expected) => {
    const app = Fastify();
    set(app);
    await assert.rejects(async () => app.ready(), expected);
  };
  const auth = authority();
  await fails((app) => app.register(auth.fastify), /app\.register\(auth\.fastify\(\)\)/);
  await fails((app) => app.register(auth.fastify()).register(auth.fastify()), { name: "ConfigurationError", message: /registered in this app already/ });
  await fails((app) => app.register(async (inner) => inner.register(auth.fastify())), { name: "ConfigurationError", message: /register it on the app itself/ });
  await fails((app) => app.register(auth.fastify()).post("/token", async () => ""), { name: "ConfigurationError", message: /a route \/token of its own.*\/oauth/ });
  assert.throws(() => auth.fastify.protect()({}, {}), { name: "MisuseError" });
  // Two authorities may share an app, where their paths do not meet.
  const app = Fastify();
  app.register(auth.fastify()).register(authority({ issuer: `${ORIGIN}/other` }).fastify());
  await app.ready();
  assert.equal((await app.inject(`/other${METADATA}`)).json().issuer, `${ORIGIN}/other`);
  await app.close();
});

test("Fastify: requests that a test injects are guarded like others, bodies included", async () => {
  const auth = authority();
  auth.toolScopes.set("add", ["notes:write"]);
  const app = Fastify();
  app.register(auth.fastify());
  app.post("/mcp", { onRequest: auth.fastify.protect({ scopes: ["notes:read"] }) }, async (request) => request.body);
  app.post("/parsed", { preHandler: auth.fastify.protect({ scopes: ["notes:read"] }) }, async (request) => request.body);
  const ask = injecting(app);
  const tokens = await new Flow(ask).tokens();
  const headers = { ...bearer(tokens.access_token), "content-type": "application/json" };
  for (const path of ["/mcp", "/parsed"]) {
    assert.equal((await ask(path, { method: "POST", headers, body: CALL })).status, 403);
    const passed = await ask(path, { method: "POST", headers, body: CALL.replace("add", "list") });
    assert.equal((await passed.json()).params.name, "list");
  }
  await app.close();
});

test("Fastify: what a handler throws besides stays the app's own", async () => {
  const auth = authority();
  const app = Fastify();
  app.register(auth.fastify());
  app.setErrorHandler((error, request, reply) => reply.code(418).send({ name: error.name }));
  app.get("/other", { onRequest: auth.fastify.requireBearer() }, async () => { throw new TypeError("x"); });
  app.get("/scope", { onRequest: auth.fastify.requireBearer() }, async () => { throw new InsufficientScope("notes:write"); });
  const ask = injecting(app);
  const headers = bearer((await new Flow(ask).tokens()).access_token);
  assert.deepEqual([(await ask("/other", { headers })).status, (await ask("/scope", { headers })).status], [418, 403]);
  await app.close();
});

test("Hono: signIn has its context, below a base path too, and headers of middleware stay", async () => {
  const seen = [];
  const auth = authority({
    issuer: `${ORIGIN}/auth`,
    signIn: (context) => {
      seen.push(context.get("session"));
      return { subject: context.get("session") };
    },
  });
  const app = new Hono();
  app.use(async (context, next) => {
    context.set("session", "erin");
    await next();
    context.res.headers.set("strict-transport-security", "max-age=1");
  });
  const inner = app.basePath("/auth");
  inner.use(auth.hono());
  app.get("/whoami", auth.hono.requireBearer(), (context) => context.json([context.get("identity").subject, context.get("auth").clientId]));
  const ask = async (path, init) => app.request(`${ORIGIN}${path}`, init);
  const flow = new Flow(ask, { base: "/auth" });
  assert.equal((await flow.page()).headers.get("strict-transport-security"), "max-age=1");
  const answer = await ask("/whoami", { headers: bearer((await flow.tokens()).access_token) });
  assert.deepEqual(await answer.json(), ["erin", "demo"]);
  assert.deepEqual([...new Set(seen)], ["erin"]);
});

test("Hono: a body that was read before", async () => {
  const auth = authority();
  auth.toolScopes.set("add", ["notes:write"]);
  const errors = [];
  const app = new Hono();
  app.onError((error, context) => {
    errors.push(error.message);
    return context.text("failed", 500);
  });
  app.use("/mcp", async (context, next) => {
    await context.req.json().catch(() => undefined);
    await next();
  });
  app.use("/token", async (context, next) => {
    if (context.req.header("x-early")) await context.req.parseBody();
    await next();
  });
  app.use(auth.hono());
  app.post("/mcp", auth.hono.protect(), async (context) => context.json(await context.req.json()));
  const ask = async (path, init) => app.request(`${ORIGIN}${path}`, init);
  const headers = bearer((await new Flow(ask).tokens()).access_token);
  assert.equal((await ask("/mcp", { method: "POST", headers, body: CALL })).status, 403);
  assert.equal((await (await ask("/mcp", { method: "POST", headers, body: CALL.replace("add", "list") })).json()).params.name, "list");
  assert.equal((await new Flow(ask).post("/token", {}, { "x-early": "1" })).status, 500);
  assert.match(errors.join(), /put auth\.hono\(\), or auth\.web\.fetch, in front of what reads it/);
});

test("Hono: wrong uses say what is right, and what a handler throws besides stays the app's own", async () => {
  const auth = authority();
  assert.throws(() => auth.hono({}), /app\.use\(auth\.hono\(\)\)/);
  await assert.rejects(auth.hono.protect()({ req: {} }), { name: "MisuseError" });
  const app = new Hono();
  app.onError((error, context) => context.json({ name: error.name }, 418, { "x-app": "1", "content-language": "en" }));
  app.use(auth.hono());
  app.get("/other", auth.hono.protect(), () => { throw new TypeError("x"); });
  app.get("/scope", auth.hono.protect(), () => { throw new InsufficientScope("notes:write"); });
  const ask = async (path, init) => app.request(`${ORIGIN}${path}`, init);
  const headers = bearer((await new Flow(ask).tokens()).access_token);
  assert.equal((await ask("/other", { headers })).status, 418);
  const challenged = await ask("/scope", { headers });
  assert.deepEqual([challenged.status, challenged.headers.get("x-app"), challenged.headers.get("content-type")], [403, null, "application/json"]);
  assert.equal(challengeOf(challenged).scope, "notes:write");
});

test("web: methods need no this, and handlers get the very request and what the framework adds", async () => {
  const auth = authority();
  const { fetch: GET, protect, requireBearer, authenticate, owns } = auth.web;
  class FrameworkRequest extends Request {
    nextUrl = "of the framework";
  }
  assert.equal((await GET(new FrameworkRequest(ORIGIN + METADATA), { params: {} })).status, 200);
  assert.equal(owns(new Request(`${ORIGIN}/mcp`)), false);
  auth.toolScopes.set("add", ["notes:write"]);
  const handler = async (request, identity, authInfo, context) => {
    const headers = new Headers([["set-cookie", "a=1"], ["set-cookie", "b=2"]]);
    return Response.json([request.nextUrl, identity.subject, authInfo.clientId, context?.params, await request.json()], { headers });
  };
  const headers = bearer((await new Flow(async (path, init) => GET(new Request(ORIGIN + path, init))).tokens()).access_token);
  for (const POST of [protect({ scopes: ["notes:read"] }, handler), requireBearer({ scopes: ["notes:read"] }, handler)]) {
    const answer = await POST(new FrameworkRequest(`${ORIGIN}/mcp`, { method: "POST", headers: { ...headers, origin: "https://x.example" }, body: CALL.replace("add", "list") }), { params: { id: "7" } });
    const told = await answer.json();
    assert.deepEqual(told.slice(0, 4), ["of the framework", "alice", "demo", { id: "7" }]);
    assert.equal(told[4].params.name, "list");
    assert.deepEqual(answer.headers.getSetCookie(), ["a=1", "b=2"]);
  }
  const checked = await authenticate(new Request(`${ORIGIN}/mcp`, { headers }), { scopes: ["notes:read"] });
  assert.equal(checked.identity.subject, "alice");
  assert.equal((await authenticate(new Request(`${ORIGIN}/mcp`))).response.status, 401);
});

test("web: answers whose headers cannot be changed get CORS all the same", async () => {
  const auth = authority();
  const headers = bearer((await new Flow(async (path, init) => auth.web.fetch(new Request(ORIGIN + path, init))).tokens()).access_token);
  const guarded = auth.web.protect({ origins: ["https://own.example"] }, () => Response.redirect(`${ORIGIN}/elsewhere`));
  const answer = await guarded(new Request(`${ORIGIN}/mcp`, { headers: { ...headers, origin: "https://own.example" } }));
  assert.deepEqual([answer.status, answer.headers.get("location"), answer.headers.get("access-control-allow-origin")], [302, `${ORIGIN}/elsewhere`, "https://own.example"]);
});

test("web: a body that breaks off is 400, one that was read is an error that names the fix", async () => {
  const auth = authority();
  auth.toolScopes.set("add", ["notes:write"]);
  const broken = () => new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"json')), pull: (controller) => controller.error(new Error("reset")) });
  const post = (path, body, headers) => new Request(ORIGIN + path, { method: "POST", body, headers, duplex: "half" });
  assert.equal((await auth.web.fetch(post("/token", broken()))).status, 400);
  const headers = bearer((await new Flow(async (path, init) => auth.web.fetch(new Request(ORIGIN + path, init))).tokens()).access_token);
  const guarded = auth.web.protect({}, async () => new Response());
  assert.equal((await guarded(post("/mcp", broken(), headers))).status, 400);
  const used = async (path) => {
    const request = post(path, "a=b", headers);
    await request.text();
    return request;
  };
  await assert.rejects(async () => auth.web.fetch(await used("/token")), { name: "MisuseError", message: /in front of what reads it/ });
  await assert.rejects(async () => guarded(await used("/mcp")), { name: "MisuseError", message: /which tool is called cannot be known/ });
  await assert.rejects(async () => auth.web.protect({}, () => undefined)(post("/mcp", "", headers)), { name: "MisuseError", message: /must return a Response/ });
});

test("web: the stream of a challenged answer is let go of", async () => {
  const auth = authority();
  const headers = bearer((await new Flow(async (path, init) => auth.web.fetch(new Request(ORIGIN + path, init))).tokens()).access_token);
  let cancelled = 0;
  const stream = () => new ReadableStream({
    pull(controller) {
      new InsufficientScope("notes:write");
      controller.enqueue(new TextEncoder().encode('data: {"jsonrpc":"2.0","id":1,"error":{}}\n\n'));
    },
    cancel: () => void (cancelled += 1),
  });
  const guarded = auth.web.protect({}, () => new Response(stream(), { headers: { "content-type": "text/event-stream" } }));
  const answer = await guarded(new Request(`${ORIGIN}/mcp`, { method: "POST", headers }));
  assert.deepEqual([answer.status, cancelled], [403, 1]);
});

test("currentIdentity is that of its own request, wherever two are served at once", async () => {
  const auth = authority();
  const app = new Hono();
  app.use(auth.hono());
  app.all("/whoami", auth.hono.requireBearer(), (context) => whoami.run({ identity: context.get("identity"), body: async () => "", answer: (status, value) => context.json(value, status) }));
  const ask = async (path, init) => app.request(`${ORIGIN}${path}`, init);
  const tokens = await Promise.all(["alice", "bob"].map(async (session) => (await new Flow(ask, { cookies: { session } }).tokens()).access_token));
  const told = await Promise.all(Array.from({ length: 50 }, async (_, at) => (await (await ask("/whoami", { headers: bearer(tokens[at % 2]) })).json()).current));
  assert.deepEqual(told, told.map((_, at) => ["alice", "bob"][at % 2]));
});
