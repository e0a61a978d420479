// What the checks stand on: the client that waits for the answer, a hostile site, and people with browsers.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { chromium } from 'playwright-core';

const listen = (handler) =>
  new Promise((resolve) => {
    const server = createServer(handler);
    server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port, close: () => server.close() }));
  });

/** The application on this computer: it keeps what arrives at its callback, and publishes a client document. */
export async function startClient() {
  const arrived = [];
  const server = await listen((request, response) => {
    const url = new URL(request.url, origin());
    if (url.pathname === '/client.json') {
      const metadata = { client_id: document(), client_name: 'Notes Reader', redirect_uris: [redirect()], token_endpoint_auth_method: 'none' };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(metadata));
      return;
    }
    if (url.pathname === '/callback') arrived.push({ answer: url.searchParams, referrer: request.headers.referer });
    response.writeHead(url.pathname === '/callback' ? 200 : 404, { 'Content-Type': 'text/html' });
    response.end('<!doctype html><title>Connected</title><p>You can close this page.');
  });
  const origin = () => `http://127.0.0.1:${server.port}`;
  const document = () => `${origin()}/client.json`;
  const redirect = () => `${origin()}/callback`;
  return { ...server, arrived, origin: origin(), document: document(), redirect: redirect() };
}

/** Somebody else's site: shows what it is told to, with as many scripts as it likes. */
export async function startHostile() {
  let page = '';
  const visits = [];
  const server = await listen((request, response) => {
    visits.push(request.url);
    response.writeHead(200, { 'Content-Type': 'text/html' });
    response.end(`<!doctype html><title>Hostile</title>${page}`);
  });
  return { ...server, visits, show: (html) => (page = html), neighbour: `http://127.0.0.1:${server.port}/`, stranger: `http://localhost:${server.port}/` };
}

/** An authorization request as a client makes it, with what the client keeps for later. */
export function ask(issuer, mcp, client, changes = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const state = randomBytes(16).toString('base64url');
  const parameters = {
    response_type: 'code',
    client_id: 'demo-public',
    redirect_uri: client.redirect,
    scope: 'notes:read notes:write offline_access',
    state,
    resource: mcp,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...changes,
  };
  return { url: `${issuer}/authorize?${new URLSearchParams(parameters)}`, state, verifier, parameters };
}

export async function startBrowser(executablePath) {
  const arguments_ = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await chromium.launch({ executablePath, headless: true, args: arguments_ });
  const log = { requests: [], complaints: [] };
  /** A fresh browser profile, whose every request and complaint is kept. */
  const person = async (options = {}, kept = log) => {
    const context = await browser.newContext({ locale: 'en', viewport: { width: 820, height: 900 }, ...options });
    context.setDefaultTimeout(15_000);
    context.on('request', (request) => kept.requests.push(request.url()));
    context.on('console', (message) => kept.complaints.push(`${message.text()} at ${message.location().url}`));
    context.on('weberror', (error) => kept.complaints.push(String(error.error())));
    context.on('dialog', async (dialog) => {
      kept.complaints.push(`a dialog: ${dialog.message()}`);
      await dialog.dismiss();
    });
    return context;
  };
  return { browser, log, person };
}

/** Opens a page and signs in there. */
export async function signIn(page, url, username = 'alice', password = 'wonderland') {
  await page.goto(url);
  await page.fill('[name=username]', username);
  await page.fill('[name=password]', password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** The answer that the client gets when `act` is done on `page`. */
export async function answered(client, page, act) {
  const before = client.arrived.length;
  await Promise.all([page.waitForURL(`${client.origin}/**`), act()]);
  if (client.arrived.length === before) throw new Error('nothing arrived at the client');
  return client.arrived.at(-1).answer;
}

/** Redeems a code. */
export async function redeem(issuer, mcp, client, asked, code) {
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    client_id: asked.parameters.client_id,
    redirect_uri: client.redirect,
    code_verifier: asked.verifier,
    resource: mcp,
  });
  const response = await fetch(`${issuer}/token`, { method: 'POST', body });
  return { status: response.status, ...(await response.json()) };
}
