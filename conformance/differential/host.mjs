/**
 * The Node host of the differential test: the shipped adapters, with the clock and the entropy of the test. See host.py, which
 * is the same program.
 *
 *     node host.mjs WORLD.json      prints the port it listens on, and ends with its standard input
 */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(new URL("../../bindings-node/dist/index.js", import.meta.url));
const environment = require("./environment.js");
const { currentIdentity, FetchError, InsufficientScope, lockstep, OverBudgetError, StoreError } = require("./index.js");

const WORLD = JSON.parse(readFileSync(process.argv[2], "utf8"));
const NOW = { number: 0, time: 0, fault: "", seed: new Uint8Array(32) };
const SEEN = [];
const EVENTS = [];

const IN_EARNEST = "database" in WORLD;

if (!IN_EARNEST) {
  environment.now = () => NOW.time;
  environment.seed = () => NOW.seed;
}

const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
const spelled = (object) => Object.fromEntries(Object.entries(object).map(([name, value]) => [camel(name), value]));

/** The options as this host spells them. Names of scopes, paths, and members of keys are no names of options. */
function options() {
  const given = spelled(WORLD.options);
  for (const name of ["resources", "clients"]) given[name] = given[name].map(spelled);
  for (const name of ["registration", "clientDocuments"]) if (typeof given[name] === "object") given[name] = spelled(given[name]);
  return given;
}

/** A store in memory, which does what the request says: it fails, or forgets to say that it has written. */
const writes = new Map();
const inLine = {
  load(keys) {
    if (NOW.fault === "load") throw new StoreError("the store is away");
    return keys.map((key) => writes.get(key));
  },
  commit(write) {
    const { fault } = NOW;
    if (["unknown", "lost", "conflict", "raised"].includes(fault)) NOW.fault = "";
    if (fault === "lost") return "unknown";
    if (fault === "conflict" || writes.get(write.key)?.version !== write.expect) return "conflict";
    writes.set(write.key, write);
    if (fault === "raised") throw new Error("the store broke after it had written");
    return fault === "unknown" ? "unknown" : "committed";
  },
  list: (subject) => [...writes].filter(([, write]) => write.subject === subject),
  purge: () => 0,
  close() {},
};
const turn = () => new Promise((settle) => setImmediate(settle));
const waiting = { ...inLine, load: (keys) => turn().then(() => inLine.load(keys)), commit: (write) => turn().then(() => inLine.commit(write)) };

/** The other servers. */
const fetcher = {
  async fetch(request, admit) {
    if (!admit()) throw new OverBudgetError();
    const answer = WORLD.others[request.url] ?? { failed: "no such host" };
    if ("failed" in answer) throw new FetchError(answer.failed);
    if ("broken" in answer) throw new Error(answer.broken);
    return { status: answer.status, headers: answer.headers.flat(), body: Buffer.from(answer.body) };
  },
};

/** The first header of that name, as the Python host's framework reads it. */
function first(request, name) {
  const at = request.rawHeaders.findIndex((one, at) => at % 2 === 0 && one.toLowerCase() === name);
  return at < 0 ? undefined : request.rawHeaders[at + 1];
}

function signIn(given) {
  const request = given.raw ?? given; // Fastify's
  const name = first(request, "x-user") ?? "";
  switch (name) {
    case "":
      return undefined;
    case "login":
      return { signIn: "/login" };
    case "login-query":
      return { signIn: "/login?a=b&#frag ment" };
    case "login-next":
      return { signIn: "https://login.example/?next=/else&back=" };
    case "approve":
      return { approve: { subject: "alice", name: "Alice" } };
    case "approve-read":
      return { approve: { subject: "alice" }, scopes: ["notes:read"] };
    case "deny":
      return { deny: true };
    case "wrong":
      return "alice";
    case "raise":
      throw new Error("the session store is away");
    default:
      return { subject: name, name: `${name} <Ünicode>`, claims: { tier: "gold", list: [1, null, { b: 2, a: 1.5 }] } };
  }
}

function consentPage(given, question) {
  if (!("x-page" in (given.raw ?? given).headers)) return undefined;
  const { clientId, clientName, clientHost, redirectHost, redirectUri, loopback, known, resource, userName, action } = question;
  const shown = {
    client_id: clientId, client_name: clientName, client_host: clientHost, redirect_host: redirectHost, redirect_uri: redirectUri,
    loopback, known, resource, user_name: userName, action,
  };
  const scopes = question.scopes.map(({ name, description, optional }) => [name, description, optional]);
  return `<!doctype html>${written({ ...shown, scopes, hidden: question.hidden.map(({ name, value }) => [name, value]) })}`;
}

function mayRefresh({ subject }) {
  if (subject === "raising") throw new Error("no answer");
  return subject !== "mallory";
}

function verifyToken(token) {
  if (token === "external-gone") throw new Error("the other issuer is away");
  if (token.startsWith("external-")) return { subject: token.slice(9), scopes: ["notes:read", "unknown"], claims: { from: "elsewhere" } };
  return undefined;
}

function written(value) {
  const sorted = (_, one) =>
    one !== null && typeof one === "object" && !Array.isArray(one) ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1))) : one;
  return JSON.stringify(value, sorted);
}

const auth = lockstep({
  signIn,
  ...(WORLD.name === "jwt" ? { consentPage, mayRefresh, verifyToken } : {}),
  ...options(),
  keys: WORLD.keys,
  store: IN_EARNEST ? `sqlite:///${WORLD.database}` : WORLD.waits ? waiting : inLine,
  fetcher,
  environment: {},
  onEvent: ({ id, at, details }) => EVENTS.push([NOW.number, id, at, details]),
});

const [JSON_TYPE, EVENTS_TYPE] = ["application/json", "text/event-stream; charset=utf-8"];
const FAILED = '{"jsonrpc":"2.0","id":1,"result":{"isError":true}}';
/** What an MCP SDK makes of a tool's exception, in the pieces in which it leaves. */
const SWALLOWED = {
  json: [JSON_TYPE, [FAILED.slice(0, 20), FAILED.slice(20)]],
  error: [JSON_TYPE, ['{"jsonrpc":"2.0","id":1,"error":{"code":-32603}}']],
  fine: [JSON_TYPE, ['{"jsonrpc":"2.0","id":1,"result":{"content":[]}}']],
  event: [EVENTS_TYPE, ["event: message\r\n", `data: ${FAILED}\r\n\r\n`]],
  primed: [EVENTS_TYPE, ["id: 1\nretry: 10\ndata:\n\n", `id: 2\ndata: ${FAILED.slice(0, 10)}\ndata: ${FAILED.slice(10)}\n\n`]],
  notified: [EVENTS_TYPE, ['data: {"method":"notifications/progress"}\n\n', `data: ${FAILED}\n\n`]],
  kept: [EVENTS_TYPE, [": ping\n\n", `data: ${FAILED}\n\n`]],
  text: ["text/plain", ["failed"]],
};

/** What is protected: it says who asked, or finds a scope missing, and lets that be known in one way or another. */
function made(request, identity) {
  const swallow = first(request, "x-swallow");
  if (swallow === undefined || !Object.hasOwn(SWALLOWED, swallow)) return [JSON_TYPE, told(request, identity)];
  try {
    told(request, identity);
  } catch (error) {
    if (!(error instanceof InsufficientScope)) throw error;
  }
  return SWALLOWED[swallow];
}

/** The same as an answer of node:http: a text with its length, or pieces as they come. */
function handler(request, identity, response) {
  const [type, content] = made(request, identity);
  response.writeHead(200, { "content-type": type, ...(typeof content === "string" ? { "content-length": Buffer.byteLength(content) } : {}) });
  if (request.method !== "HEAD") for (const part of [content].flat()) response.write(part);
  response.end();
}

function told(request, identity) {
  const needs = first(request, "x-needs");
  if (identity === undefined || currentIdentity() !== identity) throw new Error("two identities");
  if (needs !== undefined) throw new InsufficientScope(...needs.split(/\s+/).filter(Boolean));
  const { subject, clientId, scopes, resource, claims, grantId, expiresAt, kind } = identity;
  return written({ subject, client_id: clientId, scopes, resource, claims, grant_id: grantId, expires_at: expiresAt, kind });
}

const api = WORLD.options.resources[1].resource;
const guards = (seat) => ({
  "/mcp": seat.protect({ scopes: ["notes:read"] }),
  "/mcp/own": seat.protect({ scopes: ["notes:read", "notes:write"], origins: ["https://app.example"] }),
  "/api": seat.protect({ scopes: ["notes:write"], resource: api, origins: null }),
  ...(WORLD.waits ? { "/api/dependency": seat.requireBearer({ scopes: ["notes:write"], resource: api }) } : {}),
});
if (WORLD.tools !== undefined) auth.mcp.toolScopes(WORLD.tools);

/** What account pages are made of. */
async function account(path, subject) {
  switch (path) {
    case "/account":
      return [await auth.connectedApps(subject), await auth.listPersonalTokens(subject)].map((grants) =>
        grants.map(({ grantId, clientId, name, personal, scopes, resources, createdAt, usedAt, expiresAt }) => [grantId, clientId, name, personal, scopes, resources, createdAt, usedAt, expiresAt]),
      );
    case "/account/disconnect": {
      const ended = [];
      for (const { grantId } of await auth.connectedApps(subject)) ended.push(await auth.revokeApp(subject, grantId));
      return ended;
    }
    case "/account/sign-out":
      return (await auth.signOutEverywhere(subject)) ?? null;
    default: {
      const { token, grantId, expiresAt } = await auth.issuePersonalToken(subject, { name: "Skript", scopes: ["notes:read"], expiresIn: 3600, claims: { b: [1], a: null } });
      return [token, grantId, expiresAt];
    }
  }
}

const pathOf = (request) => (request.originalUrl ?? request.url).split("?", 1)[0];

/** What no guard is in front of. */
function unguarded(request, response) {
  const reply = (status, type, body) => response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) }).end(request.method === "HEAD" ? "" : body);
  const path = pathOf(request);
  if (!/^\/account(\/disconnect|\/sign-out|\/personal)?$/.test(path)) return reply(404, "text/plain", "elsewhere");
  account(path, first(request, "x-user") ?? "").then((told) => reply(200, JSON_TYPE, written(told)), (error) => reply(503, JSON_TYPE, error.name));
}

function broken(response) {
  if (!response.headersSent) response.writeHead(500).end("broken");
}

/** The app's own part, as a middleware. */
function middleware() {
  const routes = guards(auth.express);
  return (request, response, next) => {
    const path = pathOf(request);
    if (!Object.hasOwn(routes, path)) return unguarded(request, response);
    routes[path](request, response, (error) => {
      if (error !== undefined) return next(error);
      try {
        handler(request, request.identity, response);
      } catch (thrown) {
        next(thrown);
      }
    });
  };
}

/** The host in each of its seats: a listener for node:http. */
const SEATS = {
  http() {
    const app = middleware();
    return auth.express.listener((request, response) => app(request, response, () => broken(response)));
  },
  express() {
    const app = require("express")();
    app.disable("x-powered-by");
    app.use(auth.express());
    app.use(middleware());
    app.use((_error, _request, response, _next) => broken(response));
    return app;
  },
  async fastify() {
    let listener;
    const app = require("fastify")({ serverFactory: (handle) => createServer((listener = handle)), exposeHeadRoutes: false });
    app.register(auth.fastify());
    const routes = guards(auth.fastify);
    // In a hook of the whole app and by the path as it was sent: what Fastify's router makes of odd ones is its own affair.
    app.addHook("onRequest", (request, reply, done) => {
      const path = pathOf(request.raw);
      if (!Object.hasOwn(routes, path)) {
        reply.hijack();
        return unguarded(request.raw, reply.raw);
      }
      routes[path](request, reply, (error) => {
        if (error !== undefined) return done(error);
        try {
          handler(request.raw, request.identity, reply.raw);
          reply.hijack();
        } catch (thrown) {
          done(thrown);
        }
      });
    });
    app.setErrorHandler((_error, _request, reply) => reply.code(500).send("broken"));
    await app.ready();
    return listener;
  },
  web() {
    const { getRequestListener } = require("@hono/node-server");
    const { RESPONSE_ALREADY_SENT } = require("@hono/node-server/utils/response");
    const incomingOf = new WeakMap();
    const run = (request, identity) => {
      const [type, content] = made(incomingOf.get(request), identity);
      const pieces = async function* () {
        for (const part of content) yield Buffer.from(part);
      };
      const body = typeof content === "string" ? content : ReadableStream.from(pieces());
      return new Response(request.method === "HEAD" ? null : body, { headers: { "content-type": type } });
    };
    const routes = guards({ protect: (options) => auth.web.protect(options, run), requireBearer: (options) => auth.web.requireBearer(options, run) });
    return getRequestListener(async (request, { incoming, outgoing }) => {
      incomingOf.set(request, incoming);
      if (auth.web.owns(request)) return auth.web.fetch(request, { peer: incoming.socket.remoteAddress, request: incoming });
      const path = pathOf(incoming);
      if (Object.hasOwn(routes, path)) return routes[path](request).catch(() => new Response("broken", { status: 500 }));
      unguarded(incoming, outgoing);
      return RESPONSE_ALREADY_SENT;
    });
  },
};
const seat = await SEATS[WORLD.seat]();

const server = createServer((request, response) => {
  if (IN_EARNEST) return seat(request, response);
  if (request.url === "/differential") {
    const records = Object.fromEntries(
      [...writes].map(([key, { version, value, expiresAt, subject = null, client = null }]) => [key, [version, Buffer.from(value).toString("latin1"), expiresAt, subject, client]]),
    );
    return response.end(written({ seen: SEEN, events: EVENTS, records }));
  }
  const [number, time, ...fault] = first(request, "x-differential").split(" ");
  Object.assign(NOW, { number: Number(number), time: Number(time), fault: fault.join(""), seed: createHash("sha256").update(`request ${number}`).digest() });
  SEEN.push(NOW.number);
  seat(request, response);
});

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
