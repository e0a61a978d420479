// The official TypeScript SDK v1: `mcpAuthRouter` over a plain `Map`, on Express, as its users write it.
import { Flow } from '../flow.mjs';
import { latency, listen, ok } from '../host.mjs';

export const title = 'SDK v1 router over a `Map`';
export const packages = ['@modelcontextprotocol/sdk'];
export const imports = ['express', '@modelcontextprotocol/sdk/server/auth/router.js', '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'];
export const batch = 160;
export const notes = {
  authorize: 'one request: the provider answers with a code at once, as the SDK’s own example does',
  consent: 'n/a: it has no page; an app writes its own',
  bearer: '`requireBearerAuth`; JWTs are verified by `jose` with the key at hand, the usual advice',
};

export const journey = {
  bearers: ['opaque', 'ES256', 'RS256'],
  async open(origin, ask) {
    const flow = new Flow({ origin });
    await flow.register(ask);
    return { flow, silent: async (send) => flow.code(await send(flow.authorize())), routes: { 'Express, empty answer': () => ({ method: 'GET', path: '/empty' }) } };
  },
};

const ACCESS_SECONDS = 3600;

/** A `Map` with the latency of a database. */
class Table {
  #rows = new Map();

  constructor(wait) {
    this.wait = wait;
  }

  async get(key) {
    await this.wait();
    return this.#rows.get(key);
  }

  async set(key, row) {
    await this.wait();
    this.#rows.set(key, row);
  }

  async delete(key) {
    await this.wait();
    return this.#rows.delete(key);
  }
}

export async function start({ bearer, latencyMs }) {
  const { default: express } = await import('express');
  const { mcpAuthRouter } = await import('@modelcontextprotocol/sdk/server/auth/router.js');
  const { requireBearerAuth } = await import('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js');
  const { InvalidGrantError, InvalidTokenError } = await import('@modelcontextprotocol/sdk/server/auth/errors.js');
  const { randomUUID } = await import('node:crypto');
  const jose = bearer === 'opaque' ? undefined : await import('jose');
  const keys = jose && (await jose.generateKeyPair(bearer));

  const wait = latency(latencyMs);
  const [clients, codes, access, refresh] = [1, 2, 3, 4].map(() => new Table(wait));

  return listen((origin) => {
    const resource = `${origin}/mcp`;
    const now = () => Math.floor(Date.now() / 1000);

    async function issue(clientId, scopes) {
      const expiresAt = now() + ACCESS_SECONDS;
      let token = randomUUID();
      if (jose) {
        token = await new jose.SignJWT({ client_id: clientId, scope: scopes.join(' ') })
          .setProtectedHeader({ alg: bearer, typ: 'at+jwt' })
          .setIssuer(origin).setAudience(resource).setSubject('alice').setIssuedAt().setExpirationTime(expiresAt).setJti(token)
          .sign(keys.privateKey);
      } else {
        await access.set(token, { token, clientId, scopes, expiresAt, resource: new URL(resource), extra: { subject: 'alice' } });
      }
      const next = randomUUID();
      await refresh.set(next, { clientId, scopes });
      return { access_token: token, token_type: 'bearer', expires_in: ACCESS_SECONDS, scope: scopes.join(' '), refresh_token: next };
    }

    const provider = {
      clientsStore: {
        getClient: (id) => clients.get(id),
        async registerClient(client) {
          await clients.set(client.client_id, client);
          return client;
        },
      },
      async authorize(client, params, response) {
        const code = randomUUID();
        await codes.set(code, { clientId: client.client_id, params, expiresAt: now() + 60 });
        const target = new URL(params.redirectUri);
        target.searchParams.set('code', code);
        if (params.state !== undefined) target.searchParams.set('state', params.state);
        response.redirect(target.href);
      },
      async challengeForAuthorizationCode(client, code) {
        const found = await codes.get(code);
        if (found?.clientId !== client.client_id) throw new InvalidGrantError('Invalid authorization code');
        return found.params.codeChallenge;
      },
      async exchangeAuthorizationCode(client, code, _verifier, redirectUri) {
        const found = await codes.get(code);
        if (found?.clientId !== client.client_id || found.expiresAt < now() || found.params.redirectUri !== redirectUri) {
          throw new InvalidGrantError('Invalid authorization code');
        }
        await codes.delete(code);
        return issue(client.client_id, found.params.scopes);
      },
      async exchangeRefreshToken(client, token, scopes) {
        const found = await refresh.get(token);
        if (found?.clientId !== client.client_id) throw new InvalidGrantError('Invalid refresh token');
        await refresh.delete(token);
        return issue(client.client_id, scopes ?? found.scopes);
      },
      async verifyAccessToken(token) {
        if (jose) {
          const { payload } = await jose.jwtVerify(token, keys.publicKey, { issuer: origin, audience: resource }).catch(() => {
            throw new InvalidTokenError('Invalid token');
          });
          return { token, clientId: payload.client_id, scopes: payload.scope.split(' '), expiresAt: payload.exp, resource: new URL(resource), extra: { subject: payload.sub } };
        }
        const found = await access.get(token);
        if (!found) throw new InvalidTokenError('Invalid token');
        return found;
      },
    };

    const unlimited = { rateLimit: false }; // by default 50 token requests in 15 minutes
    const app = express();
    app.use(
      mcpAuthRouter({
        provider,
        issuerUrl: new URL(origin),
        resourceServerUrl: new URL(resource),
        scopesSupported: ['notes:read', 'notes:write'],
        authorizationOptions: unlimited,
        tokenOptions: unlimited,
        clientRegistrationOptions: unlimited,
      }),
    );
    const guard = requireBearerAuth({ verifier: provider, requiredScopes: ['notes:read', 'notes:write'], expectedResource: new URL(resource) });
    const answer = (_request, response) => ok(response);
    app.get('/mcp', guard, answer);
    app.get('/empty', answer);
    return app;
  });
}
