// The requests of one client. Every peer gets the same ones, but for its paths and for the codes and tokens it made itself.
import { createHash, randomBytes } from 'node:crypto';

export const REDIRECT = 'https://client.example/callback';
export const SCOPES = 'notes:read notes:write';
export const STATE = 'the-state-of-the-client';

/** Something answered what it should not have: nothing is measured on its errors. */
export class Unexpected extends Error {
  constructor(what, answer) {
    super(`${what}: got ${answer.status} ${answer.header('location') ?? ''} ${answer.text().replace(/<style>.*?<\/style>|<[^>]*>|\s+/gs, ' ').slice(0, 400)}`);
  }
}

/** One public client with PKCE. */
export class Flow {
  constructor({ origin, paths = {}, scope = SCOPES, registered = { scope }, resource = `${origin}/mcp` }) {
    this.origin = origin;
    this.paths = { authorize: '/authorize', token: '/token', register: '/register', protected: '/mcp', ...paths };
    this.scope = scope;
    this.resource = resource;
    this.registered = registered;
    this.clientId = undefined;
    this.verifier = randomBytes(36).toString('base64url');
    this.challenge = createHash('sha256').update(this.verifier).digest('base64url');
  }

  /** RFC 7591: a public client. */
  registration() {
    return json('POST', this.paths.register, {
      client_name: 'Bench',
      redirect_uris: [REDIRECT],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...this.registered,
    });
  }

  async register(ask) {
    const answer = await ask(this.registration());
    if (answer.status !== 201 && answer.status !== 200) throw new Unexpected('registration', answer);
    this.clientId = answer.json().client_id;
  }

  authorize(more = {}) {
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: this.clientId,
      redirect_uri: REDIRECT,
      scope: this.scope,
      state: STATE,
      code_challenge: this.challenge,
      code_challenge_method: 'S256',
      resource: this.resource,
      ...more,
    });
    return { method: 'GET', path: `${this.paths.authorize}?${query}` };
  }

  redeem(code) {
    return this.#token({ grant_type: 'authorization_code', code, redirect_uri: REDIRECT, code_verifier: this.verifier });
  }

  refresh(token) {
    return this.#token({ grant_type: 'refresh_token', refresh_token: token });
  }

  bearer(token, path = this.paths.protected) {
    return { method: 'GET', path, headers: { authorization: `Bearer ${token}` } };
  }

  /** The code of an authorization response. */
  code(answer) {
    const location = answer.header('location');
    if (![302, 303, 307].includes(answer.status) || !location?.startsWith(REDIRECT)) throw new Unexpected('authorize', answer);
    return this.codeOf(location, answer);
  }

  codeOf(location, answer) {
    const query = new URL(location).searchParams;
    if (!query.get('code') || query.get('state') !== STATE) throw new Unexpected('no code', answer);
    return query.get('code');
  }

  /** The tokens of a token response. */
  tokens(answer) {
    if (answer.status !== 200) throw new Unexpected('token', answer);
    const { access_token: access, refresh_token: refresh, token_type: type } = answer.json();
    if (!access || !refresh || type.toLowerCase() !== 'bearer') throw new Unexpected('not both tokens', answer);
    return { access, refresh };
  }

  #token(fields) {
    return form(this.paths.token, { ...fields, client_id: this.clientId, resource: this.resource });
  }
}

export function form(path, fields, headers = {}) {
  return {
    method: 'POST',
    path,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    body: new URLSearchParams(fields).toString(),
  };
}

export function json(method, path, value, headers = {}) {
  return { method, path, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) };
}

/** One person's browser: it keeps cookies, and sends what browsers send of a form's origin. */
export class Browser {
  constructor(origin) {
    this.origin = origin;
    this.cookies = new Map();
  }

  async send(ask, request) {
    const headers = { ...request.headers };
    if (this.cookies.size) headers.cookie = Array.from(this.cookies, ([name, value]) => `${name}=${value}`).join('; ');
    if (request.method === 'POST') Object.assign(headers, { origin: this.origin, 'sec-fetch-site': 'same-origin' });
    const answer = await ask({ ...request, headers });
    for (const line of answer.all('set-cookie')) {
      const [pair] = line.split(';');
      const at = pair.indexOf('=');
      if (at + 1 === pair.length || /expires=thu, 01 jan 1970|max-age=0/i.test(line)) this.cookies.delete(pair.slice(0, at));
      else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    return answer;
  }

  get(ask, url) {
    const target = new URL(url, this.origin);
    return this.send(ask, { method: 'GET', path: target.pathname + target.search });
  }
}

/** The hidden inputs of a page's first form, and where it is sent. */
export function hidden(html) {
  const fields = {};
  for (const [tag] of html.matchAll(/<input\b[^>]*\btype=["']?hidden\b[^>]*>/gi)) {
    fields[attribute(tag, 'name')] = attribute(tag, 'value') ?? '';
  }
  const [tag] = html.match(/<form\b[^>]*>/i) ?? [''];
  return { action: attribute(tag, 'action') ?? '', fields };
}

function attribute(tag, name) {
  const found = tag.match(new RegExp(`\\b${name}=(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i'));
  return found && (found[1] ?? found[2] ?? found[3]).replace(/&(amp|lt|gt|quot|#39|#x27);/g, (_, entity) => ENTITIES[entity]);
}

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#x27': "'" };
