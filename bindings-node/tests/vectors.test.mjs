/**
 * The transcript vectors, replayed through the glue: the same bytes and the same refusals as in Rust.
 *
 * A vector holds what goes into an exchange (configuration, keys, instant, seed, call, answers) and what comes out of it
 * (what it asks, how it ends). The first is given to the core, the second is compared with what the core says.
 */

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";

const native = createRequire(import.meta.url)("../dist/native.js");

const VECTORS = new URL("../../conformance/vectors/", import.meta.url);
const MANIFEST = read("manifest");
const [LOAD, COMMIT, FETCH, DECIDE, ANSWERED, ALLOWED, OPERATED] = [0, 1, 2, 3, 4, 5, 6];

function read(name) {
  return JSON.parse(readFileSync(new URL(`${name}.json`, VECTORS), "utf8"));
}

/** Bytes are text where they are UTF-8, and `{"base64url": …}` where they are not. */
function bytes(value) {
  return typeof value === "string" ? Buffer.from(value) : Buffer.from(value.base64url, "base64url");
}

/** Bytes as JavaScript has them in a text: Latin-1, as `node:http` gives headers and targets. */
function latin1(value) {
  return bytes(value).toString("latin1");
}

function asJson(value) {
  if (typeof value === "string") return value;
  const text = value.toString();
  return Buffer.from(text).equals(value) ? text : { base64url: value.toString("base64url") };
}

/** Header pairs as lines, and how many lines there are. */
function lines(headers) {
  const flat = headers.flatMap(([name, value]) => [name, latin1(value)]);
  return [flat.join("\n"), flat.length];
}

function begin(server, { call, env }) {
  const { now } = env;
  const seed = Buffer.from(env.seed, "base64url");
  if (call.kind === "http") {
    const [headers, count] = lines(call.headers);
    const first = [call.method, call.path, latin1(call.query), call.peer].join("\n");
    return server.handle(count === 0 ? first : `${first}\n${headers}`, count, bytes(call.body), now, seed);
  }
  if (call.kind === "check") {
    // The glue takes what a check looks at, and no other header.
    const credentials = call.headers.filter(([name]) => name.toLowerCase() === "authorization").map(([, value]) => latin1(value));
    const gate = server.gate(call.resource, call.scopes);
    const checked = gate.check(credentials.join("\n"), credentials.length, latin1(call.query), call.peer, now, seed);
    // Where nothing has to be asked there is no exchange.
    return typeof checked === "string" ? { step: ALLOWED, identity: () => checked, events: () => [] } : checked;
  }
  assert.equal(call.kind, "operate");
  if (call.operation === "issue_personal") {
    const { subject, name, claims, resource, scopes, expires_in } = call;
    return server.issuePersonal(subject, name, JSON.stringify(claims), resource, scopes, expires_in, now, seed);
  }
  if (call.operation === "revoke_grant") return server.revokeGrant(call.subject, call.grant_id, now, seed);
  assert.equal(call.operation, "sign_out_everywhere");
  return server.signOutEverywhere(call.subject, now, seed);
}

/** The members of an object under the names that the vectors have for them. */
function named(object) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), value]));
}

/** What an exchange asks, as the vectors write it. */
function asked(exchange) {
  switch (exchange.step) {
    case LOAD:
      return { load: exchange.keys() };
    case COMMIT: {
      const { key, expect = null, version, expiresAt, value, subject = null, client = null } = exchange.write();
      return { commit: { key, expect, version, expires_at: expiresAt, value: asJson(value), labels: { subject, client } } };
    }
    case FETCH: {
      const { headers, body, admission, ...rest } = exchange.request();
      const pairs = headers.map(({ name, value }) => [name, value]);
      return { fetch: { ...named(rest), headers: pairs, body: asJson(body), admission: named(admission) } };
    }
    case DECIDE: {
      const members = Object.entries(exchange.question());
      assert.equal(members.length, 1, "exactly one question");
      const [[name, question]] = members;
      if (name === "token") return { decide: { question: "token", token: question } };
      const written = { question: name === "signIn" ? "sign_in" : name, ...named(question) };
      if (name === "consent") written.hidden = question.hidden.map(({ name, value }) => [name, value]);
      return { decide: written };
    }
    default:
      assert.fail(`the exchange has ended at ${exchange.step}`);
  }
}

function decision({ decision: kind, user, expires_at: expiresAt, ...rest }) {
  const made = { kind, ...rest };
  if (user !== undefined && user !== null) made.user = { subject: user.subject, name: user.name ?? "", claims: JSON.stringify(user.claims ?? {}) };
  if (expiresAt !== undefined && expiresAt !== null) made.expiresAt = expiresAt;
  if (made.scopes === null) delete made.scopes;
  return made;
}

/** Answers the present step as the vector does. */
function goOn(exchange, turn) {
  if ("failed" in turn) return "load" in turn ? exchange.loadFailed() : exchange.decideFailed();
  if ("load" in turn) {
    return exchange.loaded(turn.loaded.map((record) => record && { version: record.version, value: bytes(record.value), expiresAt: record.expires_at }));
  }
  if ("commit" in turn) return exchange.committed(turn.committed);
  if ("decide" in turn) return exchange.decided(decision(turn.decided));
  const { fetched } = turn;
  if ("over_budget" in fetched) return exchange.fetchOverBudget();
  if ("failed" in fetched) return exchange.fetchFailed(fetched.failed);
  return exchange.fetched(fetched.status, ...lines(fetched.headers), bytes(fetched.body));
}

/** How an exchange ended, as the vectors write it. */
function ended(exchange) {
  if (exchange.step === ALLOWED) {
    assert.deepEqual(exchange.events(), []);
    return { allowed: named(JSON.parse(exchange.identity())) };
  }
  const events = exchange.events().map((event) => JSON.parse(event));
  if (exchange.step === OPERATED) {
    const { kind, ...issued } = exchange.operated();
    return { operated: kind, ...named(issued), events };
  }
  assert.equal(exchange.step, ANSWERED);
  const flat = exchange.head(true) === "" ? [] : exchange.head(true).split("\n");
  const headers = flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]]] : []));
  const body = exchange.body();
  const length = exchange.status === 204 ? [] : ["Content-Length", String(Buffer.byteLength(body))];
  assert.equal(exchange.head(false), [...flat, ...length].join("\n"), "an answer says its length, but to a HEAD");
  return { status: exchange.status, headers, body: asJson(body), refusal: exchange.refusal, events };
}

function replay(vector) {
  const exchanges = vector.exchanges ?? [vector];
  const moves = exchanges.flatMap((exchange, lane) => Array(exchange.steps.length + 1).fill(lane));
  const order = vector.order ?? moves;
  assert.deepEqual([...order].sort((a, b) => a - b), moves, "the order names each start and each step once");
  const lanes = exchanges.map(() => undefined);
  for (const lane of order) {
    const exchange = exchanges[lane];
    const begun = lanes[lane];
    if (begun === undefined) {
      const server = new native.Server(JSON.stringify(exchange.config ?? vector.config), exchange.keys ?? vector.keys);
      lanes[lane] = { running: begin(server, exchange), position: 0 };
      continue;
    }
    const turn = exchange.steps[begun.position++];
    const expected = Object.fromEntries(["load", "commit", "fetch", "decide"].filter((name) => name in turn).map((name) => [name, turn[name]]));
    assert.deepEqual(asked(begun.running), expected);
    assert.equal(goOn(begun.running, turn), begun.running.step, "a verb returns the next step");
  }
  exchanges.forEach((exchange, lane) => assert.deepEqual(ended(lanes[lane].running), exchange.outcome));
  return exchanges.length;
}

let replayedExchanges = 0;

for (const [area, count] of Object.entries(MANIFEST.areas)) {
  test(`every vector of ${area} replays`, () => {
    let replayed = 0;
    for (const name of MANIFEST.vectors.filter((name) => name.startsWith(`${area}/`))) {
      const vector = read(name);
      assert.equal(vector.id, name);
      try {
        replayedExchanges += replay(vector);
      } catch (difference) {
        difference.message = `${name}: ${difference.message}`;
        throw difference;
      }
      replayed += 1;
    }
    assert.equal(replayed, count);
  });
}

test("as many exchanges as the manifest counts have been replayed", () => {
  assert.equal(replayedExchanges, MANIFEST.exchanges);
});

test("the manifest names every file", () => {
  const areas = readdirSync(VECTORS, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const files = areas.flatMap((area) => readdirSync(new URL(area, VECTORS)).map((file) => `${area}/${file.replace(/\.json$/, "")}`));
  assert.deepEqual(files.sort(), [...MANIFEST.vectors].sort());
  assert.equal(MANIFEST.vectors.length, MANIFEST.count);
  assert.equal(Object.values(MANIFEST.areas).reduce((sum, count) => sum + count), MANIFEST.count);
});

test("every refusal of a vector is explained, and every one explained is in a vector", () => {
  const told = new Set();
  for (const name of MANIFEST.vectors) {
    const vector = read(name);
    for (const { outcome } of vector.exchanges ?? [vector]) if (outcome.refusal) told.add(outcome.refusal);
  }
  assert.deepEqual([...told].sort(), native.refusals().map(({ id }) => id).sort());
  for (const id of told) assert.equal(native.explain(id).id, id);
});
