// Ours, on plain `node:http`. `lockstep-express.mjs` is the same behind Express.
import { Browser, Flow, form, hidden, Unexpected } from '../flow.mjs';
import { latency, listen, ok } from '../host.mjs';

export const title = 'Lockstep, on `node:http`';
export const packages = ['lockstep-oauth'];
export const imports = ['lockstep-oauth'];
/** Where the native module is, whose loading is told apart. */
export const native = 'node_modules/lockstep-oauth/native';
export const batch = 160;
export const notes = {
  authorize: 'one request: `signIn` answers `{ approve }`, as a host does that asks its users itself',
  consent: 'GET the endpoint, which is the page; POST its form',
  bearer: '`requireBearer`; JWT access tokens are signed by ES256 or EdDSA, so there is no RS256 figure',
};

export const journey = {
  bearers: ['opaque', 'ES256'],
  async open(origin, ask) {
    const flow = new Flow({ origin });
    await flow.register(ask);
    return {
      flow,
      silent: async (send) => flow.code(await send(flow.authorize())),
      async consent(send) {
        const browser = new Browser(origin);
        const page = await browser.send(send, { ...flow.authorize(), headers: { 'x-ask': 'yes' } });
        if (page.status !== 200) throw new Unexpected('the consent page', page);
        const { action, fields } = hidden(page.text());
        const answer = { ...fields, decision: 'approve' };
        return flow.code(await browser.send(send, form(action, answer, { 'x-ask': 'yes' })));
      },
    };
  },
};

export const start = (options) => serve(options, (auth) => {
  const guard = auth.express.requireBearer({ scopes: ['notes:read', 'notes:write'] });
  return auth.express.listener((request, response) => {
    if (request.url === '/mcp') return guard(request, response, () => ok(response));
    response.writeHead(404).end();
  });
});

/** Serve what `build` makes of a Lockstep. */
export async function serve({ bearer, latencyMs }, build) {
  const { lockstep } = await import('lockstep-oauth');
  const { MemoryStore } = await import('lockstep-oauth/stores');
  const store = latencyMs > 0 ? slow(new MemoryStore(), latency(latencyMs)) : 'memory:';
  const alice = { subject: 'alice' };
  const approved = { approve: alice };

  return listen((origin) => {
    const auth = lockstep({
      issuer: origin,
      resource: `${origin}/mcp`,
      scopes: { 'notes:read': 'Read your notes', 'notes:write': 'Change your notes' },
      store,
      registration: 'open',
      accessTokenFormat: bearer === 'opaque' ? 'opaque' : 'jwt',
      accessSeconds: 3600,
      // The bench asks for the consent page by a header; an app would not.
      signIn: (request) => (request.headers['x-ask'] ? alice : approved),
    });
    return build(auth);
  });
}

/** A store with the latency of a database. */
function slow(store, wait) {
  const delayed = (name) => async (...words) => {
    await wait();
    return store[name](...words);
  };
  return Object.fromEntries(['load', 'commit', 'list', 'purge', 'close'].map((name) => [name, delayed(name)]));
}
