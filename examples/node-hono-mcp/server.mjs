/** A small MCP server on Hono: web-standard requests and responses from end to end, with OAuth 2.1 by Lockstep. */

import { randomBytes } from "node:crypto";
import { serve } from "@hono/node-server";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { html } from "hono/html";
import { currentIdentity, lockstep } from "lockstep-oauth";
import { z } from "zod";

const PORT = Number(process.env.PORT ?? 8787);
const ORIGIN = `http://127.0.0.1:${PORT}`; // yours: https://notes.example

// --- Your app: users, sessions, notes. ---------------------------------------------------------------

const USERS = new Map([["alice", "wonderland"]]);
const SESSIONS = new Map(); // cookie -> user name
const NOTES = new Map([["alice", ["Buy milk"]]]);

const auth = lockstep({
  issuer: ORIGIN,
  resource: `${ORIGIN}/mcp`,
  scopes: {
    "notes:read": "Read your notes",
    "notes:write": { description: "Add notes for you", default: false, optional: true },
    offline_access: { description: "Stay connected", default: false, optional: true },
  },
  store: process.env.LOCKSTEP_DB ? `sqlite:///${process.env.LOCKSTEP_DB}` : "memory:", // memory forgets every connection when it ends
  registration: "open",
  clientDocuments: { loopback: true }, // development only: lets a client on this machine publish its document over http
  signIn(c) {
    const subject = SESSIONS.get(getCookie(c, "session"));
    return subject ? { subject } : { signIn: "/login" }; // Lockstep adds ?next=<the way back>
  },
});

// --- The MCP server: the official SDK over web-standard messages. ------------------------------------

const text = (...lines) => ({ content: lines.map((line) => ({ type: "text", text: line })) });
const myNotes = () => NOTES.get(currentIdentity().subject) ?? [];

/** The SDK asks for a server of its own for each request. */
function notesServer() {
  const mcp = new McpServer({ name: "notes", version: "1.0.0" });
  mcp.registerTool("list_notes", { description: "List your notes." }, () => text(...myNotes()));
  mcp.registerTool(
    "add_note",
    { description: "Add a note.", inputSchema: z.object({ text: z.string() }) },
    auth.mcp.requires("notes:write", ({ text: note }) => {
      NOTES.set(currentIdentity().subject, [...myNotes(), note]);
      return text(`Added: ${note}`);
    }),
  );
  mcp.registerTool("whoami", { description: "Say for whom this call is made." }, () => text(currentIdentity().subject));
  return mcp;
}

const mcp = createMcpHandler(notesServer);
const app = new Hono();
app.use(auth.hono()); // /authorize, /consent, /token, /revoke, /register and the well-known documents
app.all("/mcp", auth.hono.protect({ scopes: ["notes:read"] }), (c) => mcp.fetch(c.req.raw, { authInfo: c.get("auth") }));

// --- The login: an ordinary page of your app. --------------------------------------------------------

/** Never let a link choose where the login sends people: only paths of this site. */
const local = (path) => (/^\/(?!\/)[^\\]*$/.test(path ?? "") ? path : "/");

const loginForm = (c, next, status = 200) => c.html(html`<!doctype html><html lang="en"><title>Sign in</title><h1>Sign in</h1>
  <form method="post" action="/login"><input type="hidden" name="next" value="${local(next)}">
  <p><label>User <input name="username" autocomplete="username"></label> (alice)
  <p><label>Password <input name="password" type="password" autocomplete="current-password"></label> (wonderland)
  <p><button>Sign in</button></form>`, status, { "Content-Security-Policy": "frame-ancestors 'none'" });

app.get("/login", (c) => loginForm(c, c.req.query("next")));

app.post("/login", async (c) => {
  const { username, password, next } = await c.req.parseBody();
  if (!USERS.has(username) || USERS.get(username) !== password) return loginForm(c, next, 403); // yours compares hashes
  const cookie = randomBytes(32).toString("base64url");
  SESSIONS.set(cookie, username);
  setCookie(c, "session", cookie, { httpOnly: true, sameSite: "Lax" }); // and secure: true on https
  return c.redirect(local(next), 303);
});

app.get("/", (c) => c.text("Signed in."));

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: PORT });
