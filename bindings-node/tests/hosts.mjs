// One small app, in each framework. A route is { guard: ["protect", {…}] | ["requireBearer", {…}], run }, and `run` is given
// who calls, the request's body, and ways to answer that every framework has.

import { createServer } from "node:http";
import { serve } from "@hono/node-server";
import express from "express";
import Fastify from "fastify";
import { Hono } from "hono";
import { currentIdentity } from "lockstep-oauth";
import { ORIGIN } from "./flow.mjs";

async function gathered(stream) {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** What a route's handler is given, over a response of node:http. */
function overNode(request, response, identity, body = () => gathered(request)) {
  return {
    identity,
    auth: request.auth,
    raw: { request, response },
    body,
    answer: (status, value) => response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value)),
    async events(source) {
      response.writeHead(200, { "Content-Type": "text/event-stream; charset=utf-8" });
      response.flushHeaders();
      for await (const text of source) response.write(text);
      response.end();
    },
  };
}

/** The same, over a web-standard response. */
function overWeb(request, identity, auth) {
  return {
    identity,
    auth,
    raw: { request },
    body: async () => Buffer.from(await request.arrayBuffer()),
    answer: (status, value) => Response.json(value, { status }),
    events(source) {
      const iterator = source[Symbol.asyncIterator]();
      const stream = new ReadableStream({
        async pull(controller) {
          const { done, value } = await iterator.next();
          if (done) controller.close();
          else controller.enqueue(new TextEncoder().encode(value));
        },
        cancel: () => void iterator.return?.(),
      });
      return new Response(stream, { headers: { "Content-Type": "text/event-stream; charset=utf-8" } });
    },
  };
}

const listening = (server) => new Promise((settle) => server.listen(0, "127.0.0.1", () => settle(`http://127.0.0.1:${server.address().port}`)));
const asking = (base) => (path, init = {}) => fetch(base + path, { redirect: "manual", ...init });
const closing = (server) => () => new Promise((settle) => {
  server.close(settle);
  server.closeAllConnections();
});

const guardOf = (seat, [kind, options] = []) => (kind === undefined ? undefined : seat[kind](options));

export const HOSTS = {
  async "node:http"(auth, routes = {}) {
    const guards = new Map(Object.entries(routes).map(([path, { guard }]) => [path, guardOf(auth.express, guard)]));
    const server = createServer(auth.express.listener((request, response) => {
      const path = request.url.split("?")[0];
      if (!guards.has(path)) return response.writeHead(404).end("the app's own");
      const run = () => routes[path].run(overNode(request, response, request.identity));
      return guards.get(path) === undefined ? run() : guards.get(path)(request, response, run);
    }));
    const base = await listening(server);
    return { base, ask: asking(base), close: closing(server), server };
  },

  async express(auth, routes = {}, { parse = false, before = [], caught = [] } = {}) {
    const app = express();
    app.set("env", "test"); // says nothing of errors on the console
    for (const middleware of before) app.use(middleware);
    app.use(auth.express());
    if (parse) app.use(express.json());
    for (const [path, { guard, run }] of Object.entries(routes)) {
      const body = (request) => () => (parse ? Promise.resolve(Buffer.from(request.body === undefined ? "" : JSON.stringify(request.body))) : gathered(request));
      app.all(path, ...(guard === undefined ? [] : [guardOf(auth.express, guard)]), (request, response) => run(overNode(request, response, request.identity, body(request))));
    }
    app.use((request, response) => response.status(404).end("the app's own"));
    app.use((error, request, response, next) => {
      caught.push(error);
      next(error);
    });
    const server = createServer(app);
    const base = await listening(server);
    return { base, ask: asking(base), close: closing(server), server, app };
  },

  async fastify(auth, routes = {}, { at = "onRequest" } = {}) {
    const app = Fastify();
    app.register(auth.fastify());
    app.removeAllContentTypeParsers();
    app.addContentTypeParser("*", { parseAs: "buffer" }, (request, body, done) => done(null, body));
    app.setNotFoundHandler((request, reply) => reply.code(404).send("the app's own"));
    for (const [url, { guard, run }] of Object.entries(routes)) {
      app.route({
        method: ["GET", "POST", "OPTIONS"],
        url,
        bodyLimit: 8 * 1024 * 1024,
        ...(guard === undefined ? {} : { [at]: guardOf(auth.fastify, guard) }),
        async handler(request, reply) {
          const it = overNode(request.raw, reply.raw, request.identity, async () => request.body ?? Buffer.alloc(0));
          it.events = (source) => {
            reply.hijack();
            return overNode(request.raw, reply.raw).events(source);
          };
          it.reply = reply;
          it.answer = (status, value) => reply.code(status).send(value);
          return run(it);
        },
      });
    }
    const base = await app.listen({ port: 0, host: "127.0.0.1" });
    return { base, ask: asking(base), close: () => (app.server.closeAllConnections(), app.close()), server: app.server, app };
  },

  async hono(auth, routes = {}) {
    const app = honoApp(auth, routes);
    const server = await new Promise((settle) => {
      const made = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, () => settle(made));
    });
    const base = `http://127.0.0.1:${server.address().port}`;
    return { base, ask: asking(base), close: closing(server), server, app };
  },

  async "hono.request"(auth, routes = {}) {
    const app = honoApp(auth, routes);
    return { ask: async (path, init) => app.request(`${ORIGIN}${path}`, init), close: async () => {} };
  },

  async web(auth, routes = {}) {
    const { fetch: endpoints, owns } = auth.web;
    const handlers = new Map(Object.entries(routes).map(([path, { guard, run }]) => {
      const handler = (request, identity, info) => run(overWeb(request, identity, info));
      return [path, guard === undefined ? handler : auth.web[guard[0]](guard[1] ?? {}, handler)];
    }));
    const ask = async (path, init) => {
      const request = new Request(`${ORIGIN}${path}`, init);
      if (owns(request)) return endpoints(request);
      const handler = handlers.get(new URL(request.url).pathname);
      return handler === undefined ? new Response("the app's own", { status: 404 }) : handler(request);
    };
    return { ask, close: async () => {} };
  },
};

function honoApp(auth, routes) {
  const app = new Hono();
  app.onError((error) => new Response("failed", { status: 500 }));
  app.use(auth.hono());
  for (const [path, { guard, run }] of Object.entries(routes)) {
    if (guard !== undefined) app.use(path, guardOf(auth.hono, guard));
    app.all(path, (context) => run(overWeb(context.req.raw, context.get("identity"), context.get("auth"))));
  }
  app.notFound(() => new Response("the app's own", { status: 404 }));
  return app;
}

/** Says who is calling, by every way there is. */
export const whoami = {
  async run(it) {
    const body = (await it.body()).toString();
    await new Promise((settle) => setTimeout(settle, 1));
    return it.answer(200, { subject: it.identity.subject, scopes: it.identity.scopes, claims: it.identity.claims, current: currentIdentity()?.subject, client: it.auth?.clientId, body });
  },
};

/** Runs a test against an app in each framework. */
export async function inEach(context, make, run, hosts = Object.keys(HOSTS)) {
  for (const name of hosts) {
    await context.test(name, async (context) => {
      const { auth, routes, settings } = make(name);
      const app = await HOSTS[name](auth, routes, settings);
      try {
        await run(app, auth, name, context);
      } finally {
        await app.close();
        await auth.close();
      }
    });
  }
}
