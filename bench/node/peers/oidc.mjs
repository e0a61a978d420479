// `oidc-provider`: public clients with PKCE, refresh rotation, its own adapter in memory, and the smallest interaction route.
import { Browser, Flow, Unexpected } from '../flow.mjs';
import { latency, listen, ok } from '../host.mjs';

export const title = 'oidc-provider';
export const packages = ['oidc-provider'];
export const imports = ['oidc-provider'];
export const batch = 64; // its adapter in memory keeps the last thousand records
export const notes = {
  authorize: 'one request with the cookie of a session whose grant is remembered',
  consent: 'the session asked again (`prompt=consent`): GET the endpoint, GET the interaction’s page, POST it (`interactionFinished`), GET to resume',
  bearer: 'it ships no check for resource servers: here `provider.AccessToken.find` and a look at the audience and scope; for JWTs its users take `jose`, so it would be the SDK’s figure',
};

export const journey = {
  bearers: ['opaque'],
  async open(origin, ask) {
    const flow = new Flow({ origin, paths: { authorize: '/auth', register: '/reg' }, registered: {} }); // scopes of a resource are not for registering
    await flow.register(ask);
    const agree = async (send, browser, more) => {
      let answer = await browser.send(send, flow.authorize(more));
      while (answer.status === 303 && answer.header('location').includes('/interaction/')) {
        const at = answer.header('location');
        const page = await browser.get(send, at);
        if (page.status !== 200) throw new Unexpected('the interaction', page);
        const posted = await browser.send(send, { method: 'POST', path: new URL(at, origin).pathname });
        answer = await browser.get(send, posted.header('location'));
      }
      return flow.code(answer);
    };
    /** A browser a lane: signed in, and its person has agreed once. */
    const browsers = [];
    const browser = async (send, lane) => {
      if (!browsers[lane]) {
        browsers[lane] = new Browser(origin);
        await agree(send, browsers[lane], {});
      }
      return browsers[lane];
    };
    return {
      flow,
      async silent(send, lane) {
        return flow.code(await (await browser(send, lane)).send(send, flow.authorize()));
      },
      async consent(send, lane) {
        return agree(send, await browser(send, lane), { prompt: 'consent' });
      },
      /** A code in any case: a repeated code or token ends the grant, and the person is asked anew. */
      async code(send, lane) {
        return agree(send, await browser(send, lane), {});
      },
    };
  },
};

export async function start({ latencyMs }) {
  const { default: Provider } = await import('oidc-provider');
  const { default: MemoryAdapter } = await import('oidc-provider/lib/adapters/memory_adapter.js');
  const wait = latency(latencyMs);

  /** The adapter in memory, with the latency of a database. */
  class Adapter extends MemoryAdapter {}
  for (const name of ['find', 'findByUid', 'findByUserCode', 'upsert', 'consume', 'destroy', 'revokeByGrantId']) {
    Adapter.prototype[name] = async function (...words) {
      await wait();
      return MemoryAdapter.prototype[name].apply(this, words);
    };
  }

  return listen((origin) => {
    const resource = `${origin}/mcp`;
    const provider = new Provider(origin, {
      ...(latencyMs > 0 && { adapter: Adapter }),
      findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
      interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
      issueRefreshToken: () => true,
      rotateRefreshToken: true,
      pkce: { required: () => true },
      ttl: { AccessToken: 3600, AuthorizationCode: 60, Grant: 86_400, IdToken: 3600, Interaction: 3600, RefreshToken: 86_400, Session: 86_400 },
      features: {
        devInteractions: { enabled: false },
        registration: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => resource,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({ scope: 'notes:read notes:write', audience: resource, accessTokenFormat: 'opaque', accessTokenTTL: 3600 }),
        },
      },
    });

    /** Show the question and take the answer, which is always yes. */
    async function interaction(request, response) {
      const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
      if (request.method === 'GET') {
        response.setHeader('content-type', 'text/html');
        return response.end(`<!doctype html><title>${prompt.name}</title><form method="post"><button>Continue</button></form>`);
      }
      if (prompt.name === 'login') return provider.interactionFinished(request, response, { login: { accountId: 'alice' } });
      const grant = (grantId && (await provider.Grant.find(grantId))) || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addResourceScope(resource, params.scope);
      const result = { consent: { grantId: await grant.save() } };
      return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
    }

    async function guarded(request, response) {
      const token = await provider.AccessToken.find(request.headers.authorization.slice(7));
      if (token?.isValid && token.aud === resource && token.scopes.has('notes:read')) return ok(response);
      response.writeHead(401).end();
    }

    const endpoints = provider.callback();
    return (request, response) => {
      if (request.url.startsWith('/interaction/')) return interaction(request, response);
      if (request.url === '/mcp') return guarded(request, response);
      return endpoints(request, response);
    };
  });
}
