// The fetcher against servers that lie, stall and redirect, and against names that resolve to where they should not.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { promisify } from "node:util";
import { after, require } from "./support.mjs";

const { SafeFetcher } = require("./fetch");
const { FetchError } = require("./errors");

const OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
const tls = (name) => readFileSync(new URL(`tls/${name}`, import.meta.url), "utf8");

/** A server on loopback that says, byte for byte, what it is told to. */
async function site(t, answer, { secure = false, host = "127.0.0.1" } = {}) {
  const requests = [];
  const sockets = new Set();
  const serve = (socket) => {
    sockets.add(socket);
    let received = "";
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", async (part) => {
      received += part.toString("latin1");
      const end = received.indexOf("\r\n\r\n");
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (end < 0 || received.length < end + 4 + length) return;
      requests.push(received);
      received = "";
      if (typeof answer === "function") await answer(socket);
      else socket.write(answer, "latin1");
      socket.end();
    });
  };
  const server = secure ? createTlsServer({ key: tls("good.example.key"), cert: tls("good.example.pem") }, serve) : createServer(serve);
  server.on("tlsClientError", () => {});
  await new Promise((settle) => server.listen(0, host, settle));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: server.address().port, requests };
}

const request = (port, { host = "127.0.0.1", scheme = "http", path = "/doc?a=%20b", ...changes } = {}) => ({
  method: "GET",
  url: `${scheme}://${host}:${port}${path}`,
  headers: [],
  body: new Uint8Array(),
  limitBytes: 1000,
  timeoutMs: 3000,
  addresses: "public_or_loopback",
  admission: { key: "k", limit: 1, periodSeconds: 1 },
  ...changes,
});

const refused = (promise, message) => assert.rejects(promise, (error) => error instanceof FetchError && message.test(error.message) || assert.fail(error));

test("a document is fetched as asked", async (t) => {
  const server = await site(t, `${OK}Content-Length: 2\r\nX-A: \xff\r\nx-a: b\r\n\r\n{}`);
  const fetched = await new SafeFetcher().fetch(request(server.port, { headers: [{ name: "accept", value: "application/json" }] }));
  assert.equal(fetched.status, 200);
  assert.equal(Buffer.from(fetched.body).toString(), "{}");
  assert.deepEqual(fetched.headers, ["Content-Type", "application/json", "Content-Length", "2", "X-A", "\xff", "x-a", "b"]);
  const lines = server.requests[0].toLowerCase().split("\r\n");
  assert.equal(lines[0], "get /doc?a=%20b http/1.1");
  assert.deepEqual(new Set(lines.slice(1, -2)), new Set([`host: 127.0.0.1:${server.port}`, "accept: application/json", "accept-encoding: identity", "connection: close", "user-agent: lockstep-oauth"]));
});

test("a form is posted once", async (t) => {
  const server = await site(t, `${OK}Content-Length: 2\r\n\r\n{}`);
  const headers = [{ name: "content-type", value: "application/x-www-form-urlencoded" }];
  await new SafeFetcher().fetch(request(server.port, { method: "POST", body: Buffer.from("a=b"), headers }));
  assert.equal(server.requests.length, 1);
  assert.match(server.requests[0], /^POST \/doc[^]*content-length: 3\r\n[^]*\r\na=b$/i);
});

describe("no redirect is followed", () => {
  for (const status of [301, 302, 303, 307, 308]) {
    test(String(status), async (t) => {
      const other = await site(t, `${OK}\r\n{}`);
      const server = await site(t, `HTTP/1.1 ${status} Moved\r\nLocation: http://127.0.0.1:${other.port}/\r\nContent-Length: 0\r\n\r\n`);
      assert.equal((await new SafeFetcher().fetch(request(server.port))).status, status);
      assert.deepEqual(other.requests, []);
    });
  }
});

describe("a body over the limit is a failure", () => {
  const long = "x".repeat(1001);
  const answers = {
    "said and true": `${OK}Content-Length: 1001\r\n\r\n${long}`,
    "not said": `${OK}\r\n${long}`,
    "in small parts": `${OK}Transfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(1001)}0\r\n\r\n`,
    "said to be enormous": `${OK}Content-Length: 99999999999\r\n\r\n${"x".repeat(5000)}`,
  };
  for (const [name, answer] of Object.entries(answers)) {
    test(name, async (t) => refused(new SafeFetcher().fetch(request((await site(t, answer)).port)), /^larger than 1000 bytes$/));
  }
});

test("a body of exactly the limit is fine", async (t) => {
  const server = await site(t, `${OK}\r\n${"x".repeat(1000)}`);
  assert.equal((await new SafeFetcher().fetch(request(server.port))).body.byteLength, 1000);
});

test("an endless body is left at the limit", async (t) => {
  let sent = 0;
  const server = await site(t, async (socket) => {
    socket.write(`${OK}\r\n`);
    for (; sent < 100_000 && !socket.destroyed; sent += 1) {
      if (!socket.write("x".repeat(1024))) await Promise.race([new Promise((settle) => socket.once("drain", settle)), after(1000)]);
    }
  });
  await refused(new SafeFetcher().fetch(request(server.port)), /larger than/);
  await after(100);
  assert.ok(sent < 50_000);
});

describe("a message that lies is a failure", () => {
  const answers = [
    `${OK}Content-Length: 100\r\n\r\nshort`,
    `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`,
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n5\r\nab`,
    `${OK}Content-Length: -1\r\n\r\n{}`,
    "",
    "hello\r\n\r\n",
    `HTTP/1.1 200 OK\r\nX: ${"y".repeat(200_000)}\r\n\r\n`,
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n{}",
    `${OK}Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}`,
    `${OK}Content-Encoding: identity\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}`,
  ];
  for (const answer of answers) {
    test(JSON.stringify(answer.slice(0, 90)), async (t) => refused(new SafeFetcher().fetch(request((await site(t, answer)).port)), /./));
  }
});

describe("one deadline holds for the whole fetch", () => {
  const drip = (head) => async (socket) => {
    socket.write(head);
    for (let count = 0; count < 100 && !socket.destroyed; count += 1) {
      socket.write("x");
      await after(50);
    }
  };
  const slowly = async (socket) => {
    for (const letter of OK) {
      if (!socket.destroyed) socket.write(letter);
      await after(50);
    }
  };
  const answers = { body: drip(`${OK}\r\n`), header: drip("HTTP/1.1 200 OK\r\nX: "), start: slowly, silence: () => after(5000) };
  const interim = async (socket) => {
    for (let count = 0; count < 100 && !socket.destroyed; count += 1) {
      socket.write("HTTP/1.1 103 Early Hints\r\n\r\n");
      await after(50);
    }
  };
  for (const [name, answer] of Object.entries({ ...answers, "interim answers": interim })) {
    test(name, async (t) => {
      const begun = performance.now();
      await refused(new SafeFetcher().fetch(request((await site(t, answer)).port, { timeoutMs: 300 })), /^timed out$/);
      assert.ok(performance.now() - begun < 1500);
    });
  }

  test("a handshake", async (t) => {
    const server = createServer((socket) => socket.on("error", () => {}).resume());
    await new Promise((settle) => server.listen(0, "127.0.0.1", settle));
    t.after(() => server.close());
    await refused(new SafeFetcher().fetch(request(server.address().port, { scheme: "https", timeoutMs: 300 })), /^timed out$/);
  });

  test("a resolver that hangs", async () => {
    let release;
    const held = new Promise((settle) => (release = () => settle([])));
    const begun = performance.now();
    await refused(new SafeFetcher({ resolver: () => held }).fetch(request(1, { host: "slow.example", timeoutMs: 200 })), /timed out/);
    assert.ok(performance.now() - begun < 1500);
    release();
  });
});

test("names that hang hold only so many places, and give them back", async () => {
  const waiting = [];
  const fetcher = new SafeFetcher({ resolver: () => new Promise((settle) => waiting.push(() => settle([]))) });
  const fetches = Array.from({ length: 100 }, (_, number) => fetcher.fetch(request(1, { host: `h${number}.example`, timeoutMs: 200 })));
  const outcomes = await Promise.allSettled(fetches);
  assert.equal(waiting.length, 16);
  const reasons = outcomes.map(({ reason }) => reason.message);
  assert.equal(reasons.filter((message) => message === "too many names are being resolved").length, 84);
  await refused(fetcher.fetch(request(1, { host: "late.example" })), /too many/);
  for (const release of waiting) release();
  await after(10);
  const later = new SafeFetcher({ resolver: () => [] }).fetch(request(1, { host: "later.example" }));
  await refused(later, /no permitted address \(none\)/);
});

test("a resolver that fails is a failure, and gives its place back", async () => {
  for (let number = 0; number < 20; number += 1) {
    const resolver = () => {
      throw Object.assign(new Error("getaddrinfo failed"), { code: "ENOTFOUND" });
    };
    await refused(new SafeFetcher({ resolver }).fetch(request(1, { host: "none.example" })), /^ENOTFOUND: getaddrinfo failed$/);
  }
});

describe("a name that resolves inside is never connected to", () => {
  const inside = ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1", "0.0.0.0", "fe80::1%eth0", "64:ff9b::7f00:1", "localhost", "0x7f.1", ""];
  for (const address of inside) {
    test(JSON.stringify(address), async (t) => {
      const server = await site(t, `${OK}\r\n{}`);
      const fetcher = new SafeFetcher({ resolver: () => [address] });
      await refused(fetcher.fetch(request(server.port, { scheme: "https", host: "evil.example", addresses: "public" })), /no permitted address/);
      assert.deepEqual(server.requests, []);
    });
  }
});

describe("an address in the URL is checked like any other", () => {
  for (const host of ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.0.0.1", "127.1", "[::ffff:127.0.0.1]"]) {
    test(host, async (t) => {
      const server = await site(t, `${OK}\r\n{}`);
      await refused(new SafeFetcher().fetch(request(server.port, { scheme: "https", host, addresses: "public" })), /no permitted address/);
      assert.deepEqual(server.requests, []);
    });
  }
});

test("plain http is for loopback alone, and nothing else is fetched at all", async (t) => {
  const server = await site(t, `${OK}\r\n{}`);
  await refused(new SafeFetcher().fetch(request(server.port, { addresses: "public" })), /^http: is not fetched$/);
  await refused(new SafeFetcher().fetch(request(server.port, { scheme: "ftp" })), /^ftp: is not fetched$/);
  await refused(new SafeFetcher().fetch({ ...request(1), url: "file:///etc/passwd" }), /^file: is not fetched$/);
  await refused(new SafeFetcher().fetch({ ...request(1), url: "nonsense" }), /ERR_INVALID_URL/);
  assert.deepEqual(server.requests, []);
});

test("a name is resolved once, and the checked address is connected to", async (t) => {
  // Rebinding: the second answer, which nobody asks for, would lead inside.
  const server = await site(t, `${OK}\r\n{}`);
  const answers = [["127.0.0.1"], ["10.0.0.1"]];
  const asked = [];
  const resolver = async (host, port) => (asked.push([host, port]), answers.shift());
  assert.equal((await new SafeFetcher({ resolver }).fetch(request(server.port, { host: "rebind.example" }))).status, 200);
  assert.deepEqual(asked, [["rebind.example", server.port]]);
  assert.ok(server.requests[0].toLowerCase().includes(`host: rebind.example:${server.port}\r\n`));
});

test("the address at the other end is looked at again", async (t) => {
  const server = await site(t, `${OK}\r\n{}`);
  const asked = [];
  const permitted = (address) => asked.push(address) === 1;
  await refused(new SafeFetcher({ permitted }).fetch(request(server.port)), /^connected to 127\.0\.0\.1 instead of 127\.0\.0\.1$/);
  assert.deepEqual(asked, ["127.0.0.1", "127.0.0.1"]);
  assert.deepEqual(server.requests, []);
  await refused(new SafeFetcher({ permitted: () => true, resolver: () => ["localhost"] }).fetch(request(server.port, { host: "a.example" })), /address/i);
});

test("a forbidden address among others is left out, and a dead one is passed over", async (t) => {
  const server = await site(t, `${OK}\r\n{}`);
  const resolver = () => ["10.255.255.1", "127.0.0.2", "127.0.0.1", "127.0.0.1"];
  assert.equal((await new SafeFetcher({ resolver }).fetch(request(server.port, { host: "mixed.example" }))).status, 200);
  const dead = () => ["127.0.0.2", "127.0.0.3"];
  await refused(new SafeFetcher({ resolver: dead }).fetch(request(server.port, { host: "dead.example" })), /^ECONNREFUSED: /);
});

test("an address of six is connected to as well", async (t) => {
  let server;
  try {
    server = await site(t, `${OK}\r\n{}`, { host: "::1" });
  } catch {
    return t.skip("this machine has no ::1");
  }
  assert.equal((await new SafeFetcher().fetch(request(server.port, { host: "[::1]" }))).status, 200);
  assert.equal((await new SafeFetcher({ resolver: () => ["0:0:0:0:0:0:0:1"] }).fetch(request(server.port, { host: "six.example" }))).status, 200);
});

test("the system's resolver is used where none is given", async (t) => {
  const server = await site(t, `${OK}\r\n{}`);
  assert.equal((await new SafeFetcher().fetch(request(server.port, { host: "localhost" }))).status, 200);
  await refused(new SafeFetcher().fetch(request(server.port, { host: "no-such-name.invalid" })), /getaddrinfo|ENOTFOUND|EAI_AGAIN|timed out/);
});

test("the proxies of the environment are not used", async (t) => {
  const proxy = await site(t, `${OK}\r\nproxy`);
  const server = await site(t, `${OK}\r\nserver`);
  for (const name of ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "NODE_USE_ENV_PROXY"]) {
    process.env[name] = name === "NODE_USE_ENV_PROXY" ? "1" : `http://127.0.0.1:${proxy.port}`;
    t.after(() => delete process.env[name]);
  }
  assert.equal(Buffer.from((await new SafeFetcher().fetch(request(server.port))).body).toString(), "server");
  assert.deepEqual(proxy.requests, []);
});

test("a certificate must be for the name, and of an authority that is trusted", async (t) => {
  const server = await site(t, `${OK}Content-Length: 2\r\n\r\n{}`, { secure: true });
  const resolver = () => ["127.0.0.1"];
  const fetcher = new SafeFetcher({ resolver, tls: { ca: tls("authority.pem") } });
  const good = request(server.port, { host: "good.example", scheme: "https" });
  assert.equal((await fetcher.fetch(good)).status, 200);
  assert.ok(server.requests[0].includes(`host: good.example:${server.port}\r\n`));
  assert.equal((await new SafeFetcher({ tls: { ca: [Buffer.from(tls("authority.pem"))] } }).fetch({ ...good, url: `https://127.0.0.1:${server.port}/` })).status, 200);
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  t.after(() => delete process.env.NODE_TLS_REJECT_UNAUTHORIZED);
  await refused(fetcher.fetch({ ...good, url: `https://other.example:${server.port}/` }), /^ERR_TLS_CERT_ALTNAME_INVALID: /);
  await refused(new SafeFetcher({ resolver }).fetch(good), /UNABLE_TO_VERIFY_LEAF_SIGNATURE|UNABLE_TO_GET_ISSUER/);
  assert.equal(server.requests.length, 2, "nothing is sent to one who cannot prove who it is");
});

const slow = async (socket) => {
  await after(200);
  socket.write(`${OK}\r\n{}`);
};

test("equal fetches at the same time are one, and cost one", async (t) => {
  const server = await site(t, slow);
  const fetcher = new SafeFetcher();
  let admitted = 0;
  const admit = () => (admitted += 1) > 0;
  const all = await Promise.all(Array.from({ length: 20 }, () => fetcher.fetch(request(server.port, { admission: { key: String(admitted) } }), admit)));
  assert.deepEqual([...new Set(all.map(({ body }) => Buffer.from(body).toString()))], ["{}"]);
  assert.equal(server.requests.length, 1);
  assert.equal(admitted, 1);
  await fetcher.fetch(request(server.port), admit);
  assert.equal(server.requests.length, 2, "an answer is not kept: that is the core's cache");
});

test("requests that differ in any part are not one", async (t) => {
  const server = await site(t, slow);
  const fetcher = new SafeFetcher();
  const base = request(server.port, { headers: [{ name: "a", value: "b" }] });
  const others = [{ url: `http://127.0.0.1:${server.port}/other` }, { method: "POST" }, { headers: [] }, { body: Buffer.from("x") }, { limitBytes: 999 }, { timeoutMs: 2999 }];
  await Promise.all([base, ...others.map((change) => ({ ...base, ...change }))].map((one) => fetcher.fetch(one)));
  assert.equal(server.requests.length, 7);
});

test("nothing is sent when the budget is spent", async (t) => {
  const server = await site(t, `${OK}\r\n{}`);
  const fetcher = new SafeFetcher();
  await assert.rejects(fetcher.fetch(request(server.port), () => false), { name: "OverBudgetError", message: "the budget is spent" });
  assert.deepEqual(server.requests, []);
  assert.equal((await fetcher.fetch(request(server.port), () => true)).status, 200);
});

test("a failure is told to all who wait, and not kept", async (t) => {
  const server = await site(t, "nonsense\r\n\r\n");
  const fetcher = new SafeFetcher();
  const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => fetcher.fetch(request(server.port))));
  assert.deepEqual(outcomes.map(({ reason }) => reason.name), Array(5).fill("FetchError"));
  assert.equal(fetcher.underWay.size, 0);
  assert.equal(server.requests.length, 1);
});

test("a fetch that is given up leaves no connection behind", async (t) => {
  let gone;
  const server = await site(t, async (socket) => {
    gone = new Promise((settle) => socket.once("close", settle));
    socket.write(`${OK}Content-Encoding: gzip\r\n\r\n{}`);
    await after(5000);
  });
  await refused(new SafeFetcher().fetch(request(server.port)), /encoded/);
  assert.notEqual(await Promise.race([gone, after(1000).then(() => "open")]), "open");
});

test("a fetch that is over keeps no process alive", async (t) => {
  const server = await site(t, `${OK}\r\n{}`);
  const program = `
    const { SafeFetcher } = require(${JSON.stringify(require.resolve("./fetch"))});
    const fetcher = new SafeFetcher({ permitted: () => true });
    fetcher.fetch(JSON.parse(process.argv[1])).then(({ status }) => console.log(status));`;
  const wanted = JSON.stringify({ ...request(server.port, { timeoutMs: 60_000 }), body: [] });
  const { stdout } = await promisify(execFile)(process.execPath, ["-e", program, wanted], { timeout: 10_000 });
  assert.equal(stdout, "200\n");
});
