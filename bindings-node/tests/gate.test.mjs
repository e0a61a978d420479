// A token that its key alone vouches for is known again for a while; one that storage vouches for is asked about each time.

import assert from "node:assert/strict";
import { after, mock, test } from "node:test";
import { authority, Flow, ORIGIN } from "./flow.mjs";

/** An authority whose gates count how often the core is asked. */
async function counted(changes) {
  const auth = authority(changes);
  const asked = { times: 0 };
  const make = auth.native.gate.bind(auth.native);
  auth.native.gate = (...given) => {
    const gate = make(...given);
    return { check: (...more) => ((asked.times += 1), gate.check(...more)) };
  };
  const flow = new Flow((path, init) => auth.web.fetch(new Request(new URL(path, ORIGIN), { redirect: "manual", ...init })));
  const { access_token: token } = await flow.tokens();
  return { auth, asked, token, gate: auth.gate({ scopes: ["notes:read"] }, "test") };
}

after(() => mock.timers.reset());

test("a JWT is verified once, and again after a minute", async () => {
  const { gate, asked, token } = await counted({ accessTokenFormat: "jwt" });
  const check = () => gate.check([`Bearer ${token}`], "", "", undefined);
  const start = Date.now();
  mock.timers.enable({ apis: ["Date"], now: start });
  const first = await check();
  assert.equal(first.identity.subject, "alice");
  for (let time = 0; time < 5; time += 1) assert.deepEqual((await check()).identity, first.identity);
  assert.equal(asked.times, 1);
  mock.timers.setTime(start + 61_000);
  assert.equal((await check()).identity.subject, "alice");
  assert.equal(asked.times, 2);
  mock.timers.setTime(start + 400_000); // its life is five minutes
  assert.equal((await check()).refused.status, 401);
  assert.equal(asked.times, 3);
  mock.timers.reset();
});

test("a JWT that ends sooner than a minute is not known beyond its end, nor where the clock goes back", async () => {
  const { gate, asked, token } = await counted({ accessTokenFormat: "jwt", accessSeconds: 20 });
  const check = () => gate.check([`Bearer ${token}`], "", "", undefined);
  const start = Date.now();
  mock.timers.enable({ apis: ["Date"], now: start });
  assert.ok("identity" in (await check()));
  mock.timers.setTime(start - 5_000);
  await check();
  assert.equal(asked.times, 2);
  mock.timers.setTime(start + 21_000);
  assert.equal((await check()).refused.status, 401);
  assert.equal(asked.times, 3);
  mock.timers.reset();
});

test("what is remembered cannot be changed by who was handed it", async () => {
  const { gate, asked, token } = await counted({ accessTokenFormat: "jwt" });
  const check = () => gate.check([`Bearer ${token}`], "", "", undefined);
  for (let time = 0; time < 2; time += 1) {
    const { identity } = await check();
    identity.scopes.push("notes:write");
    identity.subject = "bob";
    identity.claims.admin = true;
  }
  const { identity } = await check();
  assert.deepEqual([identity.subject, identity.scopes, identity.claims], ["alice", ["notes:read"], {}]);
  assert.equal(asked.times, 1);
});

test("only one whole credential is remembered, and only for the gate that saw it", async () => {
  const { auth, gate, asked, token } = await counted({ accessTokenFormat: "jwt" });
  const credential = `Bearer ${token}`;
  assert.ok("identity" in (await gate.check([credential], "", "", undefined)));
  assert.equal((await gate.check([credential, credential], "", "", undefined)).refused.status, 400);
  assert.equal((await gate.check([credential], "access_token=x", "", undefined)).refused.status, 400);
  assert.equal((await auth.gate({ scopes: ["notes:write"] }, "test").check([credential], "", "", undefined)).refused.status, 403);
  assert.equal(asked.times, 4);
});

test("an opaque token is asked about each time: it may have been revoked", async () => {
  const { auth, gate, asked, token } = await counted({});
  const check = () => gate.check([`Bearer ${token}`], "", "", undefined);
  assert.ok("identity" in (await check()));
  assert.ok("identity" in (await check()));
  assert.equal(asked.times, 2);
  await auth.signOutEverywhere("alice");
  assert.equal((await check()).refused.status, 401);
});

test("a thousand tokens are known, and no more", async () => {
  const { auth, asked } = await counted({ accessTokenFormat: "jwt" });
  const flow = new Flow((path, init) => auth.web.fetch(new Request(new URL(path, ORIGIN), { redirect: "manual", ...init })));
  const { access_token: first } = await flow.tokens();
  const gate = auth.gate({}, "test");
  const check = (credential) => gate.check([credential], "", "", undefined);
  await check(`Bearer ${first}`);
  asked.times = 0;
  for (let blanks = 2; blanks < 1_002; blanks += 1) assert.ok("identity" in (await check(`Bearer${" ".repeat(blanks)}${first}`)));
  await check(`Bearer ${first}`); // the oldest had to go
  assert.equal(asked.times, 1_001);
});
