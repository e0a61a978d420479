// A client that goes through the flow over HTTP.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { createRequire } from "node:module";
import { lockstep } from "lockstep-oauth";

const { keysGenerate } = createRequire(import.meta.url)("../dist/native.js");

export const ORIGIN = "https://notes.example";
export const MCP = `${ORIGIN}/mcp`;
export const CALLBACK = "https://client.example/cb";
export const RING = keysGenerate(Math.floor(Date.now() / 1000) - 3600, randomBytes(32), "ES256");

/** The value of a cookie, whatever the framework's request looks like. */
export function cookie(request, name) {
  const node = request.raw ?? request;
  const header = request.req !== undefined && typeof request.req.header === "function" ? request.req.header("cookie") : typeof node.headers.get === "function" ? node.headers.get("cookie") : node.headers.cookie;
  return new RegExp(`(?:^|; )${name}=([^;]*)`).exec(header ?? "")?.[1];
}

export function currentUser(request) {
  const name = cookie(request, "session");
  return name === undefined ? { signIn: "/login" } : { subject: name, claims: { tier: "gold" } };
}

/** A configuration that works. */
export function options(changes = {}) {
  return {
    issuer: ORIGIN,
    resource: MCP,
    scopes: { "notes:read": { description: "Read your notes", default: true }, "notes:write": { description: "Change your notes", optional: true } },
    store: "memory:",
    environment: {},
    keys: RING,
    signIn: currentUser,
    clients: [{ clientId: "demo", redirectUris: [CALLBACK], clientName: "Demo" }],
    registration: "open",
    ...changes,
  };
}

export const authority = (changes) => lockstep(options(changes));
export const bearer = (token) => ({ authorization: `Bearer ${token}` });

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const unescaped = (text) => text.replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

/** One client, one user. `ask(path, init)` sends a request to the app and resolves to its Response. */
export class Flow {
  clientId = "demo";
  verifier = randomBytes(36).toString("base64url");
  /** The user agent's cookies. */
  cookies = { session: "alice" };

  constructor(ask, changes = {}) {
    this.ask = async (path, init) => {
      const answer = await ask(path, init);
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        this.cookies[name] = value;
      }
      return answer;
    };
    Object.assign(this, { redirectUri: CALLBACK, resource: MCP, base: "", ...changes });
  }

  #cookies() {
    return { cookie: Object.entries(this.cookies).map(([name, value]) => `${name}=${value}`).join("; ") };
  }

  query(changes = {}) {
    const challenge = createHash("sha256").update(this.verifier).digest("base64url");
    return new URLSearchParams({
      response_type: "code", client_id: this.clientId, redirect_uri: this.redirectUri, resource: this.resource,
      code_challenge: challenge, code_challenge_method: "S256", state: "xyz", ...changes,
    });
  }

  /** Asks for consent. */
  page(changes) {
    return this.ask(`${this.base}/authorize?${this.query(changes)}`, { headers: this.#cookies() });
  }

  /** Presses a button of the consent page. */
  async decide(page, decision = "approve", scopes = undefined) {
    const html = await page.text();
    assert.equal(page.status, 200, html);
    const fields = [...html.matchAll(/type="?hidden"? name="?(\w+)"? value="([^"]*)"/g)].map(([, name, value]) => [name, unescaped(value)]);
    assert.ok(fields.length > 0, html);
    const offered = [...html.matchAll(/name="?scope"? value="([^"]*)"/g)].map(([, scope]) => scope);
    const body = new URLSearchParams([...fields, ...(scopes ?? offered).map((scope) => ["scope", scope]), ["decision", decision]]).toString();
    return this.ask(`${this.base}/consent`, { method: "POST", headers: { ...FORM, ...this.#cookies(), origin: ORIGIN }, body });
  }

  async code(scope, scopes) {
    const answer = await this.decide(await this.page(scope === undefined ? {} : { scope }), "approve", scopes);
    assert.equal(answer.status, 303, await answer.text());
    const parameters = new URL(answer.headers.get("location")).searchParams;
    assert.equal(parameters.get("iss"), `${ORIGIN}${this.base}`);
    assert.equal(parameters.get("state"), "xyz");
    return parameters.get("code");
  }

  post(path, form, headers = {}) {
    return this.ask(`${this.base}${path}`, { method: "POST", headers: { ...FORM, ...headers }, body: new URLSearchParams(form).toString() });
  }

  redeem(code, changes = {}) {
    const form = { grant_type: "authorization_code", code, redirect_uri: this.redirectUri, client_id: this.clientId, code_verifier: this.verifier };
    return this.post("/token", { ...form, ...changes });
  }

  refresh(token) {
    return this.post("/token", { grant_type: "refresh_token", refresh_token: token, client_id: this.clientId });
  }

  async tokens(scope, scopes) {
    const answer = await this.redeem(await this.code(scope, scopes));
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  }
}

/** The parameters of a Bearer challenge. */
export function challengeOf(answer) {
  const header = answer.headers.get("www-authenticate");
  assert.match(header ?? "", /^Bearer/);
  return Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));
}
