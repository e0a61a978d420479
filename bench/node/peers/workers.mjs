// `@cloudflare/workers-oauth-provider`: its fetch handler over a KV namespace in memory, with the consent page of its documentation.
import { register } from 'node:module';
import { Browser, Flow, form, hidden } from '../flow.mjs';
import { latency, listen, OK, web } from '../host.mjs';

export const title = 'workers-oauth-provider';
export const packages = ['@cloudflare/workers-oauth-provider'];
export const imports = ['@cloudflare/workers-oauth-provider'];
export const batch = 96;
export const notes = {
  authorize: 'one request: `parseAuthRequest`, then `completeAuthorization` at once (`revokeExistingGrants: false`, so that it need not list the user’s grants)',
  consent: 'GET the page (`beginConsent`), POST it (`approveConsent`, `completeAuthorization`)',
  bearer: '`apiRoute` of `OAuthProvider`; its access tokens are opaque, it has no JWTs',
};

export const journey = {
  bearers: ['opaque'],
  async open(origin, ask) {
    const flow = new Flow({ origin, paths: { token: '/oauth/token' } });
    await flow.register(ask);
    return {
      flow,
      silent: async (send) => flow.code(await send(flow.authorize())),
      async consent(send) {
        const browser = new Browser(origin);
        const asked = flow.authorize({ prompt: 'consent' });
        const page = await browser.send(send, asked);
        const { fields } = hidden(page.text());
        return flow.code(await browser.send(send, form(asked.path, { ...fields, scope: flow.scope, decision: 'approve' })));
      },
    };
  },
};

/** A KV namespace in memory: text by key, as Workers see it. */
class Namespace {
  rows = new Map();

  constructor(wait) {
    this.wait = wait;
  }

  async get(key, options) {
    await this.wait();
    const found = this.rows.get(key);
    if (found === undefined) return null;
    return options?.type === 'json' ? JSON.parse(found) : found;
  }

  async put(key, value) {
    await this.wait();
    this.rows.set(key, value);
  }

  async delete(key) {
    await this.wait();
    this.rows.delete(key);
  }

  async list({ prefix }) {
    await this.wait();
    const keys = Array.from(this.rows.keys()).filter((name) => name.startsWith(prefix));
    return { keys: keys.map((name) => ({ name })), list_complete: true };
  }
}

/** Answers the one import that only Workers have. Its text is run by itself as well, to see what importing costs without it. */
export const shim = `() => {
  const module = 'data:text/javascript,export class WorkerEntrypoint{constructor(ctx,env){this.ctx=ctx;this.env=env}}';
  const hook = 'export const resolve = (name, context, next) => name === "cloudflare:workers" ? { url: ' + JSON.stringify(module) + ', shortCircuit: true } : next(name, context);';
  register('data:text/javascript,' + encodeURIComponent(hook));
}`;

export async function start({ latencyMs }) {
  new Function('register', `(${shim})()`)(register);
  const { OAuthProvider } = await import('@cloudflare/workers-oauth-provider');
  const { randomUUID } = await import('node:crypto');
  const namespace = new Namespace(latency(latencyMs));

  const complete = async (api, request) => {
    const { redirectTo } = await api.completeAuthorization({
      request,
      userId: 'alice',
      metadata: {},
      scope: request.scope,
      props: { userId: 'alice' },
      revokeExistingGrants: false,
    });
    return redirectTo;
  };

  async function authorize(request, api) {
    if (request.method === 'POST') {
      const fields = await request.formData();
      const scope = String(fields.get('scope')).split(' ');
      const approved = await api.approveConsent(request, String(fields.get('handle')), { scope });
      approved.headers.set('Location', await complete(api, approved.request));
      return new Response(null, { status: 302, headers: approved.headers });
    }
    const asked = await api.parseAuthRequest(request);
    if (!request.url.includes('prompt=consent')) {
      return new Response(null, { status: 302, headers: { Location: await complete(api, asked) } });
    }
    const details = await api.describeConsent(asked);
    const consent = await api.beginConsent(asked);
    consent.headers.set('Content-Type', 'text/html; charset=utf-8');
    return new Response(page(details, consent.handle), { headers: consent.headers });
  }

  const served = await listen((origin) => {
    const provider = new OAuthProvider({
      apiRoute: '/mcp',
      apiHandler: { fetch: () => new Response(OK, { headers: { 'content-type': 'application/json' } }) },
      defaultHandler: { fetch: (request, { OAUTH_PROVIDER }) => authorize(request, OAUTH_PROVIDER) },
      authorizeEndpoint: '/authorize',
      tokenEndpoint: '/oauth/token',
      clientRegistrationEndpoint: '/register',
      scopesSupported: ['notes:read', 'notes:write'],
      resourceMetadata: { resource: `${origin}/mcp`, authorization_servers: [origin] },
      requiredScopes: ['notes:read'],
      onError() {}, // by default it writes to the log
    });
    const context = { waitUntil: (work) => work.catch(console.error), passThroughOnException() {}, props: {} };
    return web(origin, (request) => provider.fetch(request, { OAUTH_KV: namespace }, { ...context }));
  });
  return {
    ...served,
    tidy() {
      for (const key of namespace.rows.keys()) if (!key.startsWith('client:')) namespace.rows.delete(key);
    },
  };
}

const escape = (value) => value.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

function page(details, handle) {
  const name = escape(details.clientName);
  return `<!doctype html><meta charset="utf-8"><title>Authorize ${name}</title>
<h1>Allow ${name} to access your account?</h1>
<p>Access will be sent to <strong>${escape(details.redirectHost)}</strong>: ${escape(details.scope.join(', '))}.</p>
<form method="post"><input type="hidden" name="handle" value="${escape(handle)}">
<p><button name="decision" value="approve">Allow</button> <button name="decision" value="deny">Deny</button></p></form>`;
}
