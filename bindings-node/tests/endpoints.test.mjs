// The endpoints, in every framework: a whole life, and what goes wrong.

import assert from "node:assert/strict";
import { test } from "node:test";
import { authority, bearer, CALLBACK, Flow, ORIGIN } from "./flow.mjs";
import { HOSTS, inEach, whoami } from "./hosts.mjs";
import { failures } from "./support.mjs";

const METADATA = "/.well-known/oauth-authorization-server";
const read = { "/whoami": { guard: ["requireBearer", { scopes: ["notes:read"] }], ...whoami } };

test("a whole life: register, authorize, consent, token, call, refresh, revoke", async (context) => {
  await inEach(context, () => ({ auth: authority(), routes: read }), async ({ ask }) => {
    const metadata = await (await ask(METADATA)).json();
    assert.equal(metadata.token_endpoint, `${ORIGIN}/token`);
    const registered = await ask("/register", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ redirect_uris: [CALLBACK], client_name: "Any client", token_endpoint_auth_method: "none", grant_types: ["authorization_code", "refresh_token"] }),
    });
    assert.equal(registered.status, 201);
    const flow = new Flow(ask, { clientId: (await registered.json()).client_id });
    const tokens = await flow.tokens("notes:read notes:write");
    assert.equal(tokens.scope, "notes:read notes:write");

    assert.equal((await ask("/whoami")).status, 401);
    const answer = await ask("/whoami", { headers: bearer(tokens.access_token) });
    const told = await answer.json();
    assert.deepEqual([told.subject, told.current, told.client, told.claims], ["alice", "alice", flow.clientId, { tier: "gold" }]);

    const refreshed = await (await flow.refresh(tokens.refresh_token)).json();
    assert.notEqual(refreshed.access_token, tokens.access_token);
    assert.equal((await ask("/whoami", { headers: bearer(refreshed.access_token) })).status, 200);
    assert.equal((await flow.post("/revoke", { token: refreshed.refresh_token, client_id: flow.clientId })).status, 200);
    assert.equal((await ask("/whoami", { headers: bearer(refreshed.access_token) })).status, 401);
    assert.equal((await flow.refresh(refreshed.refresh_token)).status, 400);
  });
});

test("HEAD, OPTIONS, other methods, and paths of others", async (context) => {
  await inEach(context, () => ({ auth: authority() }), async ({ ask }) => {
    const head = await ask(METADATA, { method: "HEAD" });
    assert.deepEqual([head.status, head.headers.get("content-type"), await head.text()], [200, "application/json", ""]);
    const options = await ask("/token", { method: "OPTIONS", headers: { origin: "https://x.example" } });
    assert.deepEqual([options.status, options.headers.get("access-control-allow-origin")], [204, "*"]);
    const consent = await ask("/consent", { method: "OPTIONS", headers: { origin: "https://x.example" } });
    assert.equal(consent.headers.get("access-control-allow-origin"), null);
    const wrong = await ask("/token", { method: "DELETE" });
    assert.deepEqual([wrong.status, wrong.headers.get("allow")], [405, "POST"]);
    for (const path of ["/", "/tokens", "/token/", "/authorize/x", "/.well-known/other", "/%74oken"]) {
      const answer = await ask(path);
      assert.deepEqual([answer.status, await answer.text()], [404, "the app's own"], path);
    }
    assert.equal((await ask(`${METADATA}/`)).status, (await ask(METADATA)).status);
  });
});

test("without a next, the listener and fetch answer 404", async () => {
  const auth = authority();
  const { createServer } = await import("node:http");
  const server = createServer(auth.express.listener());
  await new Promise((settle) => server.listen(0, "127.0.0.1", settle));
  const base = `http://127.0.0.1:${server.address().port}`;
  assert.equal((await fetch(`${base}/nobody`)).status, 404);
  assert.equal((await fetch(`${base}${METADATA}`)).status, 200);
  server.close();
  server.closeAllConnections();
  const answers = [await auth.web.fetch(new Request(`${ORIGIN}/nobody`)), await auth.web.fetch(new Request(`${ORIGIN}/nobody`, { method: "HEAD" }))];
  assert.deepEqual(answers.map(({ status }) => status), [404, 404]);
});

test("host and forwarded headers change nothing", async (context) => {
  await inEach(context, () => ({ auth: authority() }), async ({ ask }) => {
    const plain = await (await ask(METADATA)).text();
    const headers = { "x-forwarded-host": "evil.example", "x-forwarded-prefix": "/evil", "x-forwarded-proto": "http", forwarded: "host=evil.example" };
    assert.equal(await (await ask(METADATA, { headers })).text(), plain);
  });
});

test("a body beyond 64 KiB is 413", async (context) => {
  await inEach(context, () => ({ auth: authority() }), async ({ ask }) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    assert.equal((await ask("/token", { method: "POST", headers, body: "x".repeat(65_537) })).status, 413);
    const stream = () => new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(16_384)) });
    const endless = await ask("/token", { method: "POST", headers, body: stream(), duplex: "half" }).catch((error) => error);
    // A server that closes while it is still being written to may be seen as a broken connection.
    assert.ok(endless instanceof TypeError || endless.status === 413, String(endless));
    assert.equal((await ask("/token", { method: "POST", headers, body: `a=${"x".repeat(65_534)}` })).status, 401);
  });
});

test("nobody is signed in: the login page with the way back, or a page", async (context) => {
  await inEach(context, () => ({ auth: authority() }), async ({ ask }) => {
    const flow = new Flow(ask, { cookies: {} });
    const answer = await flow.page();
    const location = new URL(answer.headers.get("location"), ORIGIN);
    assert.equal(location.pathname, "/login");
    const back = location.searchParams.get("next");
    assert.match(back, /^\/authorize\?/);
    flow.cookies = { session: "bob" };
    assert.equal((await ask(back, { headers: { cookie: "session=bob" } })).status, 200);
  });
  await inEach(context, () => ({ auth: authority({ signIn: () => undefined }) }), async ({ ask }) => {
    const answer = await new Flow(ask).page();
    assert.equal(answer.status, 401);
    assert.match(await answer.text(), /Nobody is signed in here/);
  });
});

test("the host may ask the user itself", async (context) => {
  const answers = { yes: { approve: { subject: "carol" }, scopes: ["notes:read"] }, no: { deny: true } };
  await inEach(context, () => ({ auth: authority({ signIn: (request) => answers[new URL(request.req?.raw.url ?? request.raw?.url ?? request.url, ORIGIN).searchParams.get("answer")] }) }), async ({ ask }) => {
    const flow = new Flow(ask);
    const denied = new URL((await flow.page({ answer: "no" })).headers.get("location")).searchParams;
    assert.equal(denied.get("error"), "access_denied");
    const approved = new URL((await flow.page({ answer: "yes" })).headers.get("location")).searchParams;
    assert.equal((await flow.redeem(approved.get("code"))).status, 200);
  });
});

test("a user who says no, and a consent page of the host's own", async (context) => {
  const asked = [];
  const consentPage = async (request, question) => {
    asked.push([typeof request, question.clientName]);
    return question.hidden.map(({ name, value }) => `<input type="hidden" name="${name}" value="${value}">`).join("");
  };
  await inEach(context, () => ({ auth: authority({ consentPage }) }), async ({ ask }) => {
    const flow = new Flow(ask);
    const denied = await flow.decide(await flow.page(), "deny");
    assert.equal(new URL(denied.headers.get("location")).searchParams.get("error"), "access_denied");
    assert.deepEqual(asked.pop(), ["object", "Demo"]);
  });
});

test("mayRefresh and verifyToken are asked", async (context) => {
  let may = true;
  const changes = { mayRefresh: async ({ subject }) => may && subject === "alice", verifyToken: (token) => (token === "of-yours" ? { subject: "dave", scopes: ["notes:read"] } : undefined) };
  await inEach(context, () => ({ auth: authority(changes), routes: read }), async ({ ask }) => {
    const flow = new Flow(ask);
    may = true;
    const tokens = await (await flow.refresh((await flow.tokens()).refresh_token)).json();
    may = false;
    const refused = await flow.refresh(tokens.refresh_token);
    assert.equal((await refused.json()).error, "invalid_grant");
    assert.equal((await (await ask("/whoami", { headers: bearer("of-yours") })).json()).subject, "dave");
    assert.equal((await ask("/whoami", { headers: bearer("of-nobody") })).status, 401);
  });
});

test("signIn that throws, or answers nonsense, is 503 and reported", async (context) => {
  for (const signIn of [() => { throw new Error("no database"); }, async () => { throw new Error("no database"); }, () => 42, () => ({ subject: 7 })]) {
    await inEach(context, () => ({ auth: authority({ signIn }) }), async ({ ask }, auth, name, context) => {
      const told = failures(context);
      assert.equal((await new Flow(ask).page()).status, 503);
      assert.equal(told.length, 1);
      assert.match(told[0], /a decision failed/);
    });
  }
});

test("an onEvent that throws is reported, and the request goes on", async (context) => {
  const onEvent = () => { throw new Error("full"); };
  await inEach(context, () => ({ auth: authority({ onEvent }) }), async ({ ask }, auth, name, context) => {
    const told = failures(context);
    assert.equal((await new Flow(ask).tokens()).token_type, "Bearer");
    assert.ok(told.length > 0 && told.every((one) => one.startsWith("onEvent threw for ")));
  });
});

test("a store that throws or rejects is 503 with Retry-After", async (context) => {
  for (const fail of [() => { throw new Error("no disk"); }, async () => { throw new Error("no disk"); }]) {
    const store = { load: fail, commit: fail, list: fail, purge: fail, close() {} };
    await inEach(context, () => ({ auth: authority({ store }), routes: { "/whoami": { guard: ["protect", {}], ...whoami } } }), async ({ ask }, auth, name, context) => {
      const told = failures(context);
      const { code, token } = await issued;
      for (const answer of [await new Flow(ask).redeem(code), await ask("/whoami", { headers: bearer(token) })]) {
        assert.equal(answer.status, 503);
        assert.ok(Number(answer.headers.get("retry-after")) > 0);
      }
      assert.equal(told.length, 2);
    });
  }
});

/** A code and a token in the right shape, of another server with the same keys. */
const issued = (async () => {
  const auth = authority();
  const { ask } = await HOSTS.web(auth);
  const flow = new Flow(ask);
  return { code: await flow.code(), token: (await flow.tokens()).access_token };
})();

test("audit events and budgets see the peer of the socket, and trust proxy changes nothing", async (context) => {
  const events = [];
  await inEach(context, () => ({ auth: authority({ registration: { mode: "open", perHour: 2 }, onEvent: (event) => events.push(event) }) }), async ({ ask, app }, auth, name) => {
    if (name === "express") app.set("trust proxy", true);
    const register = (forwarded) => ask("/register", {
      method: "POST",
      headers: { "content-type": "application/json", "x-forwarded-for": forwarded },
      body: JSON.stringify({ redirect_uris: [CALLBACK] }),
    });
    const statuses = [];
    for (const forwarded of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) statuses.push((await register(forwarded)).status);
    assert.deepEqual(statuses, [201, 201, 429]);
  }, ["node:http", "express", "fastify", "hono"]);
});

test("a thousand requests at once", async (context) => {
  await inEach(context, () => ({ auth: authority(), routes: read }), async ({ ask }) => {
    const tokens = await new Flow(ask).tokens();
    const answers = await Promise.all(Array.from({ length: 1000 }, async (_, at) => {
      if (at % 2 === 0) return (await ask(METADATA)).status;
      const answer = await ask("/whoami", { method: "POST", body: `${at}`, headers: bearer(tokens.access_token) });
      const { current, body } = await answer.json();
      return [answer.status, current, body].join(" ");
    }));
    assert.deepEqual(answers, answers.map((_, at) => (at % 2 === 0 ? 200 : `200 alice ${at}`)));
  });
});

test("one code and one refresh token, redeemed many times at once, have one winner", async (context) => {
  await inEach(context, () => ({ auth: authority({ retryWindowSeconds: 0 }) }), async ({ ask }) => {
    const flow = new Flow(ask);
    const code = await flow.code();
    const answers = await Promise.all(Array.from({ length: 20 }, () => flow.redeem(code)));
    assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  });
});

test("an issuer with a path, at the origin", async (context) => {
  await inEach(context, () => ({ auth: authority({ issuer: `${ORIGIN}/auth` }) }), async ({ ask }) => {
    for (const path of [METADATA, `${METADATA}/auth`, `/auth${METADATA}`, "/auth/.well-known/openid-configuration"]) {
      assert.equal((await (await ask(path)).json()).token_endpoint, `${ORIGIN}/auth/token`, path);
    }
    assert.equal((await new Flow(ask, { base: "/auth" }).tokens()).token_type, "Bearer");
  });
});
