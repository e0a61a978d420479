// Every block of JavaScript in the guides runs, and does what the text around it says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DRIVERS } from "./support.mjs";

const GUIDE = new URL("../README.md", import.meta.url);
const FRONT = new URL("../../README.md", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "lockstep-guide-"));
const home = process.cwd();
const closing = [];
// The guide keeps its grants where everybody does who says nothing else: in SQLite.
const needsSqlite = { skip: DRIVERS.length === 0 };

before(async () => {
  process.chdir(folder);
  const { newKeys } = await import("../dist/keys.js");
  process.env.LOCKSTEP_KEYS = newKeys();
});

after(async () => {
  for (const close of closing) await close();
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});

/** The blocks of JavaScript below a heading, or of the whole page. */
function blocks(page, heading) {
  const found = [];
  let at = "";
  let lines;
  for (const line of readFileSync(page, "utf8").split("\n")) {
    if (lines !== undefined) {
      if (line === "```") {
        if (heading === undefined || at === heading) found.push(lines.join("\n"));
        lines = undefined;
      } else lines.push(line);
    } else if (line === "```js") lines = [];
    else if (line.startsWith("## ")) at = line.slice(3);
  }
  return found;
}

/** Runs a block with these names in scope, and returns those and the ones it declares. */
async function run(block, names) {
  const code = block
    .replace(/^import (\w+) from ("[^"]+");$/gm, "const $1 = (await load($2)).default;")
    .replace(/^import (\{[^}]+\}) from ("[^"]+");$/gm, "const $1 = await load($2);");
  const declared = [...code.matchAll(/^(?:const|async function|function) (?:\{([^}]+)\}|(\w+))/gm)].flatMap(([, many, one]) => (many ?? one).split(",").map((name) => name.trim()));
  const given = Object.keys(names).filter((name) => !declared.includes(name));
  const AsyncFunction = (async () => {}).constructor;
  const body = new AsyncFunction("load", ...given, `${code}\n;return { ${declared.join(", ")} };`);
  return { ...names, ...(await body((name) => import(name), ...given.map((name) => names[name]))) };
}

async function listening(listener) {
  const server = createServer(listener);
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())));
  return `http://127.0.0.1:${server.address().port}`;
}

const currentUser = () => ({ subject: "ada" });
const personal = async (auth) => (await auth.issuePersonalToken("ada", { name: "test", scopes: ["notes:read"], expiresIn: 60 })).token;
const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });

/** A route that wants `notes:read` lets a token in, and nobody else. */
async function guards(origin, token, path = "/notes") {
  const refused = await fetch(origin + path);
  assert.equal(refused.status, 401);
  assert.match(refused.headers.get("www-authenticate"), /scope="notes:read"/);
  const allowed = await fetch(origin + path, bearer(token));
  assert.equal(allowed.status, 200);
  return allowed.json();
}

for (const [name, page] of [["front page", FRONT], ["guide", GUIDE]]) {
  test(`the four lines of the ${name} protect a route and answer discovery`, needsSqlite, async () => {
    const [block] = blocks(page, "Four lines");
    const { app, auth } = await run(block, { currentUser, readNotes: (subject) => [`a note of ${subject}`], store: "memory:" });
    closing.push(() => auth.close());
    const origin = await listening(app);
    const discovery = await fetch(`${origin}/.well-known/oauth-authorization-server`);
    assert.equal((await discovery.json()).issuer, "https://notes.example");
    assert.deepEqual(await guards(origin, await personal(auth)), ["a note of ada"]);
  });
}

test("the blocks of the guide run one after the other", needsSqlite, async () => {
  let names = { currentUser, sessionUser: () => null };
  for (const block of blocks(GUIDE)) {
    names = await run(block, names);
    if (names.auth !== undefined && !closing.includes(names.auth)) {
      const { auth } = names;
      closing.push(() => auth.close());
    }
  }
});

test("every framework of the guide protects its route", needsSqlite, async () => {
  let names = { currentUser };
  for (const heading of ["Four lines", "Frameworks"]) for (const block of blocks(GUIDE, heading)) names = await run(block, names);
  closing.push(() => names.auth.close());
  const token = await personal(names.auth);

  await names.fastify.listen({ host: "127.0.0.1", port: 0 });
  closing.push(() => names.fastify.close());
  assert.deepEqual(await guards(`http://127.0.0.1:${names.fastify.server.address().port}`, token), ["ada"]);

  assert.equal((await names.hono.request("/notes")).status, 401);
  assert.deepEqual(await (await names.hono.request("/notes", bearer(token))).json(), ["ada"]);

  const plain = await listening(names.plain.listeners("request")[0]);
  assert.equal(await (await fetch(`${plain}/anything`)).text(), "your own app");
  assert.equal((await fetch(`${plain}/.well-known/oauth-authorization-server`)).status, 200);

  assert.equal(names.answer.status, 200);
  assert.equal((await names.handler(new Request("https://notes.example/mcp"))).status, 401);
  assert.deepEqual(await (await names.handler(new Request("https://notes.example/mcp", bearer(token)))).json(), ["ada"]);
});

test("a tool of the guide asks for the scope that it lacks", needsSqlite, async () => {
  let names = { currentUser };
  for (const heading of ["Four lines", "Clients", "An MCP server"]) for (const block of blocks(GUIDE, heading)) names = await run(block, names);
  closing.push(() => names.auth.close());
  const origin = await listening(names.app);
  const call = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "add_note", arguments: {} } };
  const asked = (token) =>
    fetch(`${origin}/mcp`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify(call),
    });
  const refused = await asked(await personal(names.auth));
  assert.equal(refused.status, 403);
  assert.match(refused.headers.get("www-authenticate"), /notes:write/);
  const { token } = await names.auth.issuePersonalToken("ada", { name: "writer", scopes: ["notes:read", "notes:write"], expiresIn: 60 });
  const added = await asked(token);
  assert.equal(added.status, 200);
  assert.match(await added.text(), /added for ada/);
});

test("the table of the guide names every option, and no other", async () => {
  const { KNOWN } = await import("../dist/configuration.js");
  const table = [...readFileSync(GUIDE, "utf8").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(table.sort(), [...KNOWN].sort());
});
