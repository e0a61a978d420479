// Drive the official MCP TypeScript SDK through the whole life of a connection, and check every step.
//
//     node drive.mjs http://127.0.0.1:8787          the current SDK, @modelcontextprotocol/client (v2)
//     node drive.mjs http://127.0.0.1:8787 --v1     the older one, @modelcontextprotocol/sdk (v1)
//
// Exit code 0 only if every step held.
import { randomUUID } from 'node:crypto';
import { Browser, CheckFailed, Trace, documentServer, tappedFetch } from './wire.mjs';

const v1 = process.argv.includes('--v1');
const base = (process.argv.slice(2).find(argument => !argument.startsWith('-')) ?? 'http://127.0.0.1:8787').replace(/\/$/, '');
const { Client, StreamableHTTPClientTransport, UnauthorizedError, auth } = v1
  ? {
      ...(await import('@modelcontextprotocol/sdk/client/index.js')),
      ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
      ...(await import('@modelcontextprotocol/sdk/client/auth.js'))
    }
  : await import('@modelcontextprotocol/client');

/** What the SDK asks us for: who we are, and where tokens are kept. A real client uses the system's keychain. */
class Provider {
  constructor(document, published) {
    Object.assign(this, { document, published, redirectUrl: document.callback });
  }

  get clientMetadata() {
    return {
      client_name: 'TypeScript demonstration client',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none'
    };
  }

  // The SDK's own `clientMetadataUrl` takes https documents only (as it must); ours is on loopback http. So we do here what
  // the SDK would do: once the server's document says that it reads such documents, the URL is the client_id.
  clientInformation() {
    const server = this.discovery?.authorizationServerMetadata;
    if (this.published && server?.client_id_metadata_document_supported) return { client_id: this.document.url, issuer: server.issuer };
    return this.client;
  }

  saveClientInformation = client => void (this.client = client);
  tokens = () => this.saved;
  saveTokens = tokens => void (this.saved = tokens);
  codeVerifier = () => this.verifier;
  saveCodeVerifier = verifier => void (this.verifier = verifier);
  discoveryState = () => this.discovery;
  saveDiscoveryState = discovery => void (this.discovery = discovery);
  state = () => (this.sentState = randomUUID());
  redirectToAuthorization = url => void (this.wanted = url.href); // a real client opens the system's browser here
  invalidateCredentials(what) {
    if (what === 'tokens' || what === 'all') this.saved = undefined;
    if (what === 'client' || what === 'all') this.client = undefined;
  }
}

/** One MCP client of one user: the SDK's transport, our tapped fetch, and a browser. */
class Connection {
  url = base + '/mcp';

  constructor(trace, document, { published, mode }) {
    Object.assign(this, { trace, mode, published });
    this.provider = new Provider(document, published);
    this.fetch = tappedFetch(trace, 'client');
    this.browser = new Browser(trace, 'alice', 'wonderland');
  }

  async once(tool, given) {
    const client = new Client({ name: 'demo', version: '1.0.0' }, v1 ? {} : { versionNegotiation: { mode: this.mode } });
    this.transport = new StreamableHTTPClientTransport(new URL(this.url), { authProvider: this.provider, fetch: this.fetch });
    try {
      await client.connect(this.transport);
      const result = await client.callTool({ name: tool, arguments: given });
      this.trace.check(!result.isError, `the tool ${tool} answered`);
      return result.content.map(part => part.text ?? '').join(' ');
    } finally {
      await client.close();
    }
  }

  /** Call a tool. If the SDK wants the user, send the browser, hand the SDK what came back, and call again. */
  async call(tool, given = {}) {
    try {
      return await this.once(tool, given);
    } catch (error) {
      if (v1 && error.code === 403) await this.askForMore();
      else if (!(error instanceof UnauthorizedError)) throw error;
    }
    this.answer = await this.browser.visit(this.provider.wanted, this.provider.redirectUrl);
    // The SDK compares `iss`; `state` is the application's to compare.
    this.trace.check(this.answer.get('state') === this.provider.sentState, 'the browser came back with our state');
    await this.transport.finishAuth(v1 ? this.answer.get('code') : this.answer);
    return this.once(tool, given);
  }

  /** v1 only: it meets the 403 with a refresh, which can never widen a grant, and gives up. So the application asks itself. */
  async askForMore() {
    const { scope = '', resource_metadata } = this.trace.last(e => e.status === 403).challenge;
    this.trace.check(scope && resource_metadata, 'the 403 names scope and metadata document');
    const union = [...new Set([...this.scopes(), ...scope.split(' ')])].join(' ');
    this.provider.saved = undefined; // or it would refresh once more
    await auth(this.provider, { serverUrl: this.url, scope: union, resourceMetadataUrl: new URL(resource_metadata), fetchFn: this.fetch });
  }

  /** The SDK does not watch the clock: it refreshes when a call answers 401. So the kept access token is spoiled. */
  expire() {
    this.provider.saved = { ...this.provider.saved, access_token: 'expired' };
  }

  scopes = () => this.provider.saved.scope.split(' ');
  server = () => this.provider.discovery.authorizationServerMetadata;
}

const wellKnown = kind => e => e.method === 'GET' && e.path.startsWith(`/.well-known/${kind}`) && e.status === 200;
const tokenRequest = grant => e => e.form.grant_type === grant;
const pathOf = url => (URL.canParse(url ?? '') ? new URL(url).pathname : undefined);
const PROTECTED = '/.well-known/oauth-protected-resource/mcp';

/** From nothing to the first tool call. */
async function connect(c) {
  const { trace } = c;
  trace.expect(
    [e => e.status === 401, 'A call without a token', 'The server must refuse with 401 and say where its metadata is (RFC 9728).'],
    [wellKnown('oauth-protected-resource'), 'Who protects this resource?', "The resource's own document names its authorization server."],
    [wellKnown('o'), 'What can that server do?', "The authorization server's document (RFC 8414) names its endpoints and abilities."],
    c.published
      ? [e => e.who === 'server', "The server reads the client's document", "The client_id is a URL. The server fetches it to learn the client's name and where it may be sent back to."]
      : [e => e.path.endsWith('/register'), 'The client registers', 'The client has no document of its own, so it asks for a client_id (RFC 7591; older, and open to anyone).'],
    [e => e.who === 'browser', 'Sign-in and consent', 'The browser opens /authorize. The user signs in to the app, sees who asks for what, and allows it.'],
    [tokenRequest('authorization_code'), 'The code becomes tokens', 'The browser came back with a code. It is worth nothing without the verifier that only this client knows (PKCE).'],
    [e => e.path.endsWith('/mcp') && e.headers.authorization && e.status === 200, 'The call, with a token', 'The same call again, and now the server knows for whom.']
  );
  const notes = await c.call('list_notes');
  trace.done();

  const refused = trace.last(e => e.status === 401);
  trace.check(pathOf(refused.challenge.resource_metadata) === PROTECTED, "the 401 names the resource's metadata document");
  trace.check(refused.challenge.scope?.includes('notes:read'), 'the 401 names the scope to ask for');
  const resource = trace.last(wellKnown('oauth-protected-resource')).json;
  trace.check(resource.resource === c.url, "the resource's document names exactly the URL we called");
  trace.check(c.server().issuer === resource.authorization_servers[0], 'the issuer is the one that the resource named');
  trace.check(String(c.server().code_challenge_methods_supported) === 'S256', 'PKCE with S256 is offered, and nothing weaker');
  const asked = trace.last(e => e.query.response_type).query;
  trace.check(asked.resource === c.url, 'the client asked for a token for this resource only (RFC 8707)');
  trace.check(c.answer.get('iss') === c.server().issuer, "the browser came back with the issuer's name (RFC 9207)");
  trace.check(asked.client_id === c.provider.clientInformation().client_id, c.published ? "the client_id is the document's URL" : 'the client_id is the registered one');
  trace.check(c.scopes().includes('notes:read'), 'the token can read notes');
  trace.check(!c.scopes().includes('notes:write'), 'and cannot write them');
  trace.check(c.provider.saved.refresh_token, 'there is a refresh token');
  trace.check(notes.includes('Buy milk'), "the answer is alice's notes");
}

async function refresh(c) {
  c.trace.step('The access token expires', 'After a 401 the SDK trades the refresh token for a new pair; the old refresh token is used up.');
  const before = c.provider.saved;
  c.expire();
  await c.once('whoami');
  const sent = c.trace.last(tokenRequest('refresh_token'));
  c.trace.check(sent.form.refresh_token === before.refresh_token && sent.status === 200, 'the refresh token was accepted');
  c.trace.check(c.provider.saved.access_token !== before.access_token, 'the access token is new');
  c.trace.check(c.provider.saved.refresh_token !== before.refresh_token, 'the refresh token was rotated');
}

async function lostAnswer(c) {
  const { trace, provider } = c;
  trace.step('A refresh whose answer gets lost', 'The server has rotated the token, but the connection breaks before the client hears of it.');
  c.expire();
  const before = provider.saved;
  c.fetch.lose = tokenRequest('refresh_token');
  try {
    await c.once('whoami');
    throw new CheckFailed('the answer should have been lost');
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
    console.log('     The SDK gives up this call and would bother the user with a new login. It still holds the old refresh token.');
  }
  const lost = trace.last(tokenRequest('refresh_token'));
  trace.check(lost.lost && lost.status === 200, 'the server had answered 200');
  trace.check(provider.saved.refresh_token === before.refresh_token, 'the client knows nothing of it');

  trace.step('The same refresh token again', 'Elsewhere this looks like theft and ends in a new login. Lockstep gives the same successor once more.');
  await c.once('whoami');
  const again = trace.last(tokenRequest('refresh_token'));
  trace.check(again.form.refresh_token === before.refresh_token, 'the same refresh token was sent');
  trace.check(again.json.refresh_token === lost.json.refresh_token, 'the answer holds the SAME next refresh token');
  trace.check(again.json.access_token === lost.json.access_token, 'and the SAME access token: no second branch exists');
}

async function stepUp(c) {
  const { trace } = c;
  trace.expect(
    [e => e.tool === 'add_note' && e.status === 403, 'A tool that needs more', 'Writing was not granted. The server answers 403 and names the missing scope; the SDK asks the user for it.'],
    [e => e.who === 'browser', 'Consent for one scope more', 'The SDK asks for what it had and the new scope together.'],
    [tokenRequest('authorization_code'), 'A new code, new tokens', 'The wider grant replaces the narrow one in the client.'],
    [e => e.tool === 'add_note' && e.status === 200, 'The tool again', 'The same call now succeeds.']
  );
  const text = await c.call('add_note', { text: 'Written through OAuth' });
  trace.done();
  const refused = trace.last(e => e.status === 403);
  trace.check(refused.answerHeaders['www-authenticate'].startsWith('Bearer '), 'the 403 carries a Bearer challenge');
  trace.check(refused.challenge.error === 'insufficient_scope', 'its error is insufficient_scope');
  trace.check(refused.challenge.scope?.split(' ').includes('notes:write'), 'its scope names what this call needs');
  trace.check(pathOf(refused.challenge.resource_metadata) === PROTECTED, 'it names the metadata document again');
  const asked = trace.last(e => e.query.response_type).query.scope.split(' ');
  trace.check(asked.includes('notes:read') && asked.includes('notes:write'), 'the client asked for the union of old and new');
  trace.check(c.scopes().includes('notes:read') && c.scopes().includes('notes:write'), 'the new token holds both scopes');
  trace.check(text.includes('Written through OAuth'), 'the note was added');
}

async function revoke(c) {
  const { trace, provider } = c;
  trace.step('The client disconnects', 'It hands its refresh token to /revoke (RFC 7009), which ends the whole grant.');
  const tokens = provider.saved;
  const { client_id } = provider.clientInformation();
  // The SDK has no call for this, so plain HTTP.
  const post = (url, form) => c.fetch(url, { method: 'POST', body: new URLSearchParams(form) });
  trace.check(c.server().revocation_endpoint, "the server's document names a revocation endpoint");
  const revoked = await post(c.server().revocation_endpoint, { token: tokens.refresh_token, token_type_hint: 'refresh_token', client_id });
  trace.check(revoked.status === 200, 'revocation answered 200');

  trace.step('A call after that', 'The access token has not expired, but its grant is gone: 401. The SDK tries its refresh token, in vain, and wants a new login.');
  const before = trace.exchanges.length;
  provider.wanted = undefined;
  await c.once('list_notes').then(
    () => { throw new CheckFailed('the call was not refused'); },
    error => { if (!(error instanceof UnauthorizedError)) throw error; }
  );
  const refused = trace.exchanges[before];
  trace.check(refused.headers.authorization === `Bearer ${tokens.access_token}`, 'the old access token was sent');
  trace.check(refused.status === 401 && refused.challenge.error === 'invalid_token', '401 invalid_token');
  const dead = trace.last(tokenRequest('refresh_token'));
  trace.check(dead.form.refresh_token === tokens.refresh_token && dead.status === 400 && dead.json.error === 'invalid_grant', 'the refresh token is dead too');
  trace.check(provider.wanted, 'the SDK asks for a new login');
}

async function life(trace, document, options) {
  const c = new Connection(trace, document, options);
  await connect(c);
  await refresh(c);
  await lostAnswer(c);
  await stepUp(c);
  await revoke(c);
  if (c.published) trace.check(document.fetches >= 1, `the server fetched the client's document (${document.fetches} time(s))`);
}

console.warn = () => {}; // the SDK's remarks on refusals that we asked for
const trace = new Trace();
const document = await documentServer(trace);
const name = v1 ? 'Official TypeScript SDK v1 (@modelcontextprotocol/sdk)' : 'Official TypeScript SDK (@modelcontextprotocol/client)';
try {
  // The published client speaks the newest protocol (no session) where the SDK can; the registering one the older handshake.
  console.log(`=== ${name}, client with a published document (CIMD) ===`);
  await life(trace, document, { published: true, mode: 'auto' });
  console.log(`\n=== ${name}, client that registers (DCR) ===`);
  await life(trace, document, { published: false, mode: 'legacy' });
  console.log(`\nAll ${trace.checks} checks held, in ${trace.exchanges.length} exchanges.`);
} catch (error) {
  console.error(`\nFAILED: ${error instanceof CheckFailed ? error.message : `${error.name}: ${error.message}`}`);
  process.exitCode = 1;
} finally {
  document.close();
}
