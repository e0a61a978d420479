/**
 * A small notes app: a login, a REST API and an MCP server, with OAuth 2.1 by Lockstep.
 *
 * Three things here are Lockstep's: `lockstep({...})`, `app.use(auth.express())` and the guards (`auth.express.protect`,
 * `auth.express.requireBearer`). The rest is what your app has anyway.
 */

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import express from "express";
import { currentIdentity, InsufficientScope, lockstep } from "lockstep-oauth";
import { z } from "zod";

const { env } = process;
const PORT = Number(env.PORT ?? 8787);
const ORIGIN = `http://127.0.0.1:${PORT}`; // yours: https://notes.example
const MCP = `${ORIGIN}/mcp`;
const API = `${ORIGIN}/api`;

// --- Your app: users, sessions, notes. In memory to stay short; yours live in your database. ---------

const USERS = new Map([["alice", "wonderland"], ["bob", "builder"]]);
const SESSIONS = new Map(); // cookie -> user name
const NOTES = new Map([["alice", ["Buy milk"]], ["bob", ["Fix the roof"]]]);

const sessionUser = (request) => SESSIONS.get(/(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? "")?.[1]);

const notesOf = (user) => NOTES.get(user) ?? NOTES.set(user, []).get(user);

// --- OAuth: who issues tokens, for what, and who is signed in. ---------------------------------------

/** Lockstep asks this before it shows the consent page, and again when the answer comes. */
function signIn(request) {
  const name = sessionUser(request);
  return name ? { subject: name } : { signIn: "/login" }; // Lockstep adds ?next=<the way back>
}

/** Numbers that tests like to change; the defaults are good. */
function tuning() {
  const names = {
    EXAMPLE_ACCESS_SECONDS: "accessSeconds",
    EXAMPLE_RETRY_WINDOW: "retryWindowSeconds",
    EXAMPLE_CODE_RACE: "codeRaceSeconds",
  };
  const set = Object.entries(names).filter(([name]) => name in env);
  return Object.fromEntries(set.map(([name, option]) => [option, Number(env[name])]));
}

const BUDGET = Number(env.EXAMPLE_BUDGET ?? 60); // registrations an hour, and document fetches a minute

/** Clients that need not register. These few are for the tests; most apps know none in advance. */
function knownClients() {
  const { clients } = JSON.parse(readFileSync(new URL("../python-fastapi-mcp/fixture.json", import.meta.url), "utf8"));
  const camel = (name) => name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase());
  const shown = (client) => Object.entries(client).filter(([name]) => !name.startsWith("private_"));
  return Object.values(clients).map((client) => Object.fromEntries(shown(client).map(([name, value]) => [camel(name), value])));
}

const auth = lockstep({
  issuer: ORIGIN + (env.EXAMPLE_ISSUER_PATH ?? ""),
  resources: [
    { resource: MCP, scopes: ["notes:read", "notes:write"] },
    { resource: API, scopes: ["notes:read", "notes:write"] },
  ],
  scopes: {
    "notes:read": "Read your notes",
    "notes:write": { description: "Add notes for you", default: false, optional: true },
    offline_access: { description: "Stay connected", default: false, optional: true },
  },
  store: `sqlite:///${env.LOCKSTEP_DB ?? "oauth.db"}`,
  signIn,
  registration: { mode: "open", perHour: BUDGET },
  clients: knownClients(),
  accessTokenFormat: env.EXAMPLE_TOKENS ?? "opaque",
  clientDocuments: { loopback: true, perMinute: BUDGET }, // development only: lets a client on this machine publish its document over http
  ...tuning(),
});

// --- The MCP server: the official SDK, one protected route. ------------------------------------------

const text = (...lines) => ({ content: lines.map((line) => ({ type: "text", text: line })) });

/** The SDK asks for a server of its own for each request. */
function notesServer() {
  const mcp = new McpServer({ name: "notes", version: "1.0.0" });
  mcp.registerTool("list_notes", { description: "List your notes." }, () => text(...notesOf(me().subject)));
  mcp.registerTool(
    "add_note",
    {
      description: "Add a note. Needs one scope more: the client is sent back to the user to ask for it.",
      inputSchema: z.object({ text: z.string() }),
    },
    ({ text: note }) => {
      if (!me().scopes.includes("notes:write")) throw new InsufficientScope("notes:write");
      notesOf(me().subject).push(note);
      return text(`Added: ${note}`);
    },
  );
  mcp.registerTool("whoami", { description: "Say for whom, and through which app, this call is made." }, () => {
    const { subject, clientId, scopes } = me();
    return text(JSON.stringify({ user: subject, client: clientId, scopes: scopes.join(" ") }));
  });
  return mcp;
}

/** Who calls: `auth.express.protect` lets no one in without an identity. */
const me = () => currentIdentity();

const app = express();
app.disable("x-powered-by");
app.use(auth.express()); // /authorize, /consent, /token, /revoke, /register and the well-known documents
app.all("/mcp", auth.express.protect({ resource: MCP, scopes: ["notes:read"] }), toNodeHandler(createMcpHandler(notesServer)));

// --- The REST API: the same tokens, a second resource. -----------------------------------------------

app.get("/api/notes", auth.express.requireBearer({ resource: API, scopes: ["notes:read"] }), (request, response) => {
  response.json(notesOf(request.identity.subject));
});

app.post("/api/notes", auth.express.requireBearer({ resource: API, scopes: ["notes:write"] }), express.json(), (request, response) => {
  notesOf(request.identity.subject).push(String(request.body.text));
  response.status(201).json(request.body);
});

// --- The login and the account page: ordinary web pages of your app. ---------------------------------

function page(response, title, body, status = 200) {
  response.set({ "X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'" });
  response.status(status).type("html").send(`<!doctype html><html lang=en><meta charset=utf-8><title>${title}</title><h1>${title}</h1>${body}`);
}

const escaped = (plain) => plain.replace(/[&<>"']/g, (mark) => `&#${mark.charCodeAt(0)};`);

/** Never let a link choose where the login sends people: only paths of this site. */
function local(path) {
  return typeof path === "string" && /^\/(?!\/)[^\\]*$/.test(path) ? path : "/account";
}

/** Compares in a time that says nothing about where two passwords differ. */
function same(given, right) {
  const [a, b] = [given, right].map((password) => createHash("sha256").update(password).digest());
  return timingSafeEqual(a, b);
}

function loginForm(response, next, wrong) {
  const hint = wrong ? "<p>That was not right.</p>" : "";
  page(response, "Sign in", `${hint}<form method=post action=/login>
    <input type=hidden name=next value="${escaped(local(next))}">
    <p><label>User <input name=username autocomplete=username autofocus></label> (alice)
    <p><label>Password <input name=password type=password autocomplete=current-password></label> (wonderland)
    <p><button>Sign in</button></form>`, wrong ? 403 : 200);
}

app.get("/login", (request, response) => loginForm(response, request.query.next, false));

app.post("/login", express.urlencoded({ extended: false }), (request, response) => {
  const { username, password, next } = request.body ?? {};
  if (!same(String(password), USERS.get(username) ?? randomBytes(32))) return loginForm(response, next, true);
  const cookie = randomBytes(32).toString("base64url");
  SESSIONS.set(cookie, username);
  response.cookie("session", cookie, { httpOnly: true, sameSite: "lax" }); // and secure: true on https
  response.redirect(303, local(next));
});

app.get("/account", async (request, response) => {
  const name = sessionUser(request);
  if (!name) return response.redirect(303, "/login");
  const apps = await auth.connectedApps(name);
  const rows = apps.map((one) => `<li>${escaped(one.name || one.clientId)}: ${escaped(one.scopes.join(" "))}`).join("");
  page(response, "Your account", `<p>Signed in as ${escaped(name)}.<h2>Connected apps</h2><ul>${rows || "<li>none"}</ul>
    <form method=post action=/account/sign-out-everywhere><button>Disconnect all</button></form>`);
});

app.post("/account/sign-out-everywhere", async (request, response) => {
  const name = sessionUser(request);
  if (name) await auth.signOutEverywhere(name);
  response.redirect(303, "/account");
});

app.listen(PORT, "127.0.0.1");
