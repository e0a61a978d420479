// `better-auth` with its MCP plugin (an OAuth provider) over its memory adapter, behind its own adapter for `node:http`.
import { Browser, Flow, json, Unexpected } from '../flow.mjs';
import { latency, listen, OK, web } from '../host.mjs';

export const title = 'better-auth';
export const packages = ['better-auth', '@better-auth/mcp'];
export const imports = ['better-auth', 'better-auth/node', 'better-auth/plugins/jwt', '@better-auth/mcp'];
export const batch = 32; // its memory adapter walks through its tables: they are emptied between rounds
export const notes = {
  authorize: 'one request with the cookie of a session whose consent is remembered',
  consent: 'the session asked again (`prompt=consent`): GET the endpoint, GET the app’s page, POST `/oauth2/consent`',
  bearer: '`requireMcpAuth`, which fetches the keys over HTTP and keeps them; access tokens for a resource are JWTs, so there is no opaque figure',
};

const SCOPE = 'notes:read notes:write offline_access'; // without `offline_access` it issues no refresh token
const BASE = '/api/auth';

export const journey = {
  bearers: ['ES256', 'RS256'],
  environment: { BETTER_AUTH_TELEMETRY: '0' },
  async open(origin, ask) {
    const paths = { authorize: `${BASE}/oauth2/authorize`, token: `${BASE}/oauth2/token`, register: `${BASE}/oauth2/register` };
    const flow = new Flow({ origin, paths, scope: SCOPE });
    await flow.register(ask);
    const alice = new Browser(origin);
    const account = { name: 'Alice', email: 'alice@client.example', password: 'through-the-looking-glass' };
    const signedUp = await alice.send(ask, json('POST', `${BASE}/sign-up/email`, account));
    if (signedUp.status !== 200) throw new Unexpected('sign-up', signedUp);
    const consent = async (send, more) => {
      const asked = await alice.send(send, flow.authorize(more));
      const at = asked.header('location');
      if (asked.status !== 302 || !at.includes('/consent?')) throw new Unexpected('the way to the consent page', asked);
      const page = await alice.get(send, at);
      if (page.status !== 200) throw new Unexpected('the consent page', page);
      const agreed = { accept: true, oauth_query: new URL(at, origin).search.slice(1) };
      const answer = await alice.send(send, json('POST', `${BASE}/oauth2/consent`, agreed));
      if (answer.status !== 200) throw new Unexpected('consent', answer);
      return flow.codeOf(answer.json().url, answer);
    };
    await consent(ask, {}); // agrees once
    return {
      flow,
      silent: async (send) => flow.code(await alice.send(send, flow.authorize())),
      consent: (send) => consent(send, { prompt: 'consent' }),
    };
  },
};

const KEPT = ['user', 'session', 'account', 'jwks', 'oauthClient', 'oauthResource', 'oauthClientResource', 'oauthConsent'];
const EMPTIED = ['verification', 'oauthRefreshToken', 'oauthAccessToken', 'oauthClientAssertion'];

export async function start({ bearer, latencyMs }) {
  const { betterAuth } = await import('better-auth');
  const { memoryAdapter } = await import('better-auth/adapters/memory');
  const { toNodeHandler } = await import('better-auth/node');
  const { jwt } = await import('better-auth/plugins/jwt');
  const { mcp, requireMcpAuth } = await import('@better-auth/mcp');
  const { randomBytes } = await import('node:crypto');

  const tables = Object.fromEntries([...KEPT, ...EMPTIED].map((name) => [name, []]));
  const wait = latency(latencyMs);

  const served = await listen((origin) => {
    const resource = `${origin}/mcp`;
    const auth = betterAuth({
      baseURL: origin,
      secret: randomBytes(32).toString('hex'),
      database: slow(memoryAdapter(tables), wait, latencyMs),
      emailAndPassword: { enabled: true },
      rateLimit: { enabled: false }, // in production it is on: 100 requests in 10 seconds
      telemetry: { enabled: false },
      plugins: [
        jwt({ jwks: { keyPairConfig: { alg: bearer } } }),
        mcp({
          loginPage: '/login',
          consentPage: '/consent',
          resource,
          scopes: SCOPE.split(' '),
          allowDynamicClientRegistration: true,
          allowUnauthenticatedClientRegistration: true,
        }),
      ],
    });
    const endpoints = toNodeHandler(auth);
    const answer = () => new Response(OK, { headers: { 'content-type': 'application/json' } });
    const guarded = web(origin, requireMcpAuth(auth, answer, { resource, requiredScopes: ['notes:read', 'notes:write'] }));
    return (request, response) => {
      if (request.url === '/mcp') return guarded(request, response);
      if (!request.url.startsWith('/consent')) return endpoints(request, response);
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>Allow?</title><button>Allow</button>');
    };
  });
  return {
    ...served,
    tidy() {
      for (const name of EMPTIED) tables[name] = [];
    },
  };
}

/** An adapter with the latency of a database. */
function slow(adapter, wait, latencyMs) {
  if (latencyMs === 0) return adapter;
  return (options) => {
    const inner = adapter(options);
    const delayed = { ...inner };
    for (const name of ['create', 'findOne', 'findMany', 'count', 'update', 'updateMany', 'delete', 'deleteMany', 'consumeOne', 'incrementOne', 'transaction']) {
      if (!inner[name]) continue;
      delayed[name] = async (...words) => {
        await wait();
        return inner[name](...words);
      };
    }
    return delayed;
  };
}
