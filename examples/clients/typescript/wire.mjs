// What drive.mjs stands on: a fetch that prints every exchange, a headless browser, a document server.
import { createServer } from 'node:http';

const SECRETS = ['access_token', 'refresh_token', 'token', 'code', 'code_verifier', 'code_challenge', 'state', 'ticket', 'seal',
  'client_secret', 'registration_access_token', 'password'];
// Members of JSON answers worth a line, in this order.
const TELLING = ['error', 'error_description', 'resource', 'authorization_servers', 'issuer', 'authorization_endpoint',
  'token_endpoint', 'registration_endpoint', 'revocation_endpoint', 'code_challenge_methods_supported',
  'authorization_response_iss_parameter_supported', 'client_id_metadata_document_supported', 'scopes_supported', 'client_id',
  'redirect_uris', 'token_endpoint_auth_method', 'token_type', 'scope', 'expires_in', 'access_token', 'refresh_token'];

/** A step of the demonstration did not hold. */
export class CheckFailed extends Error {}

/** A secret, shortened: enough to recognise it again, not enough to use it. */
const short = value => (value.length <= 8 ? value : value.slice(0, 8) + '…');

/** Shorten what is secret inside a URL, a header or a line of text. */
function withoutSecrets(text) {
  return text
    .replace(/(?<=Bearer )[A-Za-z0-9._~+/-]{9,}=*(?![\w=])/g, short)
    .replace(new RegExp(`(?<!\\w)(${SECRETS.join('|')})=([^&\\s"]+)`, 'g'), (_, name, value) => `${name}=${short(value)}`);
}

function shown(name, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `${name} = ${name === 'password' ? '…' : SECRETS.includes(name) ? short(text) : withoutSecrets(text)}`;
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}

/** One HTTP request and its answer. */
class Exchange {
  constructor(fields) {
    Object.assign(this, { headers: {}, body: '', answerHeaders: {}, answer: '', lost: false }, fields);
    this.at = new URL(this.url);
    this.path = this.at.pathname;
    this.query = Object.fromEntries(this.at.searchParams);
    const type = this.headers['content-type'] ?? '';
    this.formPairs = type.includes('form') ? [...new URLSearchParams(this.body)] : [];
    this.form = Object.fromEntries(this.formPairs);
    this.message = type.includes('json') && this.body ? parsed(this.body) : undefined;
    this.tool = this.message?.method === 'tools/call' ? this.message.params.name : undefined;
    this.json = parsed(this.answer);
    const challenge = this.answerHeaders['www-authenticate'] ?? '';
    this.challenge = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(m => [m[1], m[2]]));
  }

  lines() {
    const lines = [`${this.who.padEnd(7)} ${this.method} ${this.at.origin}${this.path}`];
    for (const [name, value] of [...this.at.searchParams, ...this.formPairs]) lines.push(`          ${shown(name, value)}`);
    if (this.message?.method) {
      const { name, arguments: given } = this.message.params ?? {};
      lines.push(`          ${this.message.method}${this.tool ? ` ${name} ${JSON.stringify(given ?? {})}` : ''}`);
    } else for (const [name, value] of Object.entries(this.message ?? {})) lines.push(`          ${shown(name, value)}`);
    if (this.headers.authorization) lines.push('          Authorization: ' + withoutSecrets(this.headers.authorization));
    lines.push(`       <- ${this.status}${this.lost ? '   (this answer gets lost on the way back)' : ''}`);
    for (const name of ['www-authenticate', 'location']) {
      const value = this.answerHeaders[name];
      if (value) lines.push(`          ${name}: ` + withoutSecrets(decodeURIComponent(value)));
    }
    if (this.json.jsonrpc) {
      const outcome = this.json.result ?? this.json.error ?? {};
      const text = outcome.content ? outcome.content.map(part => part.text ?? '').join(' / ') : Object.keys(outcome).join(', ');
      lines.push('          ' + text.replace(/\s+/g, ' ').slice(0, 150));
    } else for (const name of TELLING) if (name in this.json) lines.push(`          ${shown(name, this.json[name])}`);
    return lines;
  }
}

/** Prints and keeps every exchange, announces the steps, and checks what should hold. */
export class Trace {
  exchanges = [];
  steps = [];
  count = 0;
  checks = 0;

  step(title, why) {
    console.log(`\n--- ${++this.count}. ${title} ---\n    ${why}\n`);
  }

  /** Steps that the SDK will go through by itself: each is announced at the exchange it begins with. */
  expect(...steps) {
    this.steps = steps;
  }

  add(exchange) {
    if (this.steps[0]?.[0](exchange)) this.step(...this.steps.shift().slice(1));
    this.exchanges.push(exchange);
    console.log(`[${String(this.exchanges.length).padStart(2, '0')}] ${exchange.lines().join('\n')}`);
  }

  done() {
    if (this.steps.length) throw new CheckFailed(`the SDK never came to the step "${this.steps[0][1]}"`);
  }

  check(holds, what) {
    if (!holds) throw new CheckFailed(what);
    this.checks++;
    console.log(`     ok   ${what}`);
  }

  last(found) {
    const exchange = this.exchanges.findLast(found);
    if (!exchange) throw new CheckFailed(`no exchange like ${found} was seen`);
    return exchange;
  }
}

/** The real fetch, with a tap. It can also lose one answer after the server has given it (set `lose`). */
export function tappedFetch(trace, who) {
  const tapped = async (url, init = {}) => {
    const request = new Request(url, { ...init, redirect: 'manual', duplex: 'half' });
    const body = init.body == null ? '' : await request.clone().text();
    const response = await fetch(request);
    const stream = response.headers.get('content-type')?.startsWith('text/event-stream');
    const answer = stream ? '' : await response.clone().text(); // a stream is left to its reader
    const exchange = new Exchange({
      who, method: request.method, url: request.url, headers: Object.fromEntries(request.headers), body,
      status: response.status, answerHeaders: Object.fromEntries(response.headers), answer
    });
    if (tapped.lose?.(exchange)) {
      tapped.lose = undefined;
      exchange.lost = true;
    }
    trace.add(exchange);
    if (exchange.lost) throw new TypeError('fetch failed: the connection broke before the answer arrived');
    return response;
  };
  return tapped;
}

const attributes = tag => Object.fromEntries([...tag.matchAll(/([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+)))?/g)]
  .slice(1).map(m => [m[1].toLowerCase(), unescape_(m[2] ?? m[3] ?? m[4] ?? '')]));
const unescape_ = text => text.replace(/&#x([0-9a-f]+);/gi, (_, n) => String.fromCodePoint(parseInt(n, 16)))
  .replace(/&#(\d+);/g, (_, n) => String.fromCodePoint(n)).replace(/&quot;/g, '"').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

/** The first form of a page: where it goes and what it sends. */
function firstForm(page) {
  const tag = page.match(/<form\b[^>]*>/i)?.[0];
  if (!tag) return undefined;
  const form = { action: attributes(tag).action ?? '', fields: {}, scopes: [] };
  for (const [input] of page.matchAll(/<input\b[^>]*>/gi)) {
    const a = attributes(input);
    if (a.type === 'checkbox') form.scopes.push(a.value);
    else if (a.name) form.fields[a.name] = a.value ?? '';
  }
  return form;
}

/** Whether a source of a Content-Security-Policy covers the URL: `https:`, `http://host:*` or an origin. */
function allows(source, url) {
  if (source.endsWith(':')) return url.startsWith(source);
  const pattern = source.replace(/\/$/, '').replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '[^/]*');
  return new RegExp(`^${pattern}(?=[/?#]|$)`).test(url);
}

/** A person with a browser: signs in when asked, reads the consent page, ticks every box, allows. */
export class Browser {
  cookies = new Map();

  constructor(trace, username, password) {
    this.fetch = tappedFetch(trace, 'browser');
    this.person = { username, password };
  }

  /** Go to `url` and on, until the browser is sent to the address `until`; returns that visit's query. */
  async visit(url, until) {
    let init = {}, allowed;
    for (let hop = 0; hop < 12; hop++) {
      const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await this.fetch(url, { ...init, headers: { ...init.headers, ...(cookie && { cookie }) } });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
        this.cookies.set(name, value);
      }
      if (response.status >= 300 && response.status < 400) {
        url = new URL(response.headers.get('location'), url).href;
        init = {};
        if (allowed && !allowed.some(source => allows(source, url))) {
          throw new CheckFailed(`a browser blocks this redirect: the page's form-action does not allow ${withoutSecrets(url)}`);
        }
        if (url.startsWith(until + '?')) return new URL(url).searchParams;
        continue;
      }
      const page = await response.text();
      const form = firstForm(page);
      if (response.status !== 200 || !form) throw new CheckFailed(`the browser got stuck at ${withoutSecrets(url)}: ${response.status} ${page.slice(0, 300)}`);
      const body = new URLSearchParams(form.fields);
      if ('password' in form.fields) for (const [name, value] of Object.entries(this.person)) body.set(name, value);
      else {
        for (const scope of form.scopes) body.append('scope', scope);
        body.set('decision', 'approve');
      }
      // As browsers do: an Origin on every form, "null" if the page allows no referrer; form-action counts for redirects too.
      const { origin } = new URL(url);
      const rule = response.headers.get('content-security-policy')?.match(/form-action ([^;]*)/);
      allowed = rule?.[1].trim().split(/\s+/).map(source => (source === "'self'" ? origin : source));
      const sent = response.headers.get('referrer-policy') === 'no-referrer' ? 'null' : origin;
      url = new URL(form.action || url, url).href;
      init = { method: 'POST', body, headers: { origin: sent, 'sec-fetch-site': 'same-origin' } };
    }
    throw new CheckFailed('the browser was sent in circles');
  }
}

/** Publishes this client's metadata document on loopback, as a real client does on its https site. */
export async function documentServer(trace) {
  const server = createServer((request, response) => {
    const body = JSON.stringify(published.document);
    const answerHeaders = { 'content-type': 'application/json', 'cache-control': 'max-age=300' };
    response.writeHead(200, answerHeaders).end(body);
    published.fetches++;
    trace.add(new Exchange({ who: 'server', method: 'GET', url: published.url, status: 200, answerHeaders, answer: body }));
  });
  await new Promise(listening => server.listen(0, '127.0.0.1', listening));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const published = {
    url: origin + '/client.json',
    callback: origin + '/callback',
    fetches: 0,
    close: () => server.close(),
    document: {
      client_id: origin + '/client.json',
      client_name: 'TypeScript demonstration client',
      redirect_uris: ['http://127.0.0.1/callback'], // no port: a desktop app takes any free one
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none'
    }
  };
  return published;
}
