// The floors: an answer that is ready, and what one verification by OpenSSL adds to it.
import { createHmac, generateKeyPairSync, sign, verify } from 'node:crypto';
import { listen, ok, web, OK } from '../host.mjs';

const ALGORITHMS = {
  ES256: { type: 'ec', options: { namedCurve: 'P-256' }, encoding: 'ieee-p1363' },
  RS256: { type: 'rsa', options: { modulusLength: 2048 } },
};

export const journey = {
  bearers: ['none'],
  async open(origin, ask) {
    const token = async (algorithm) => (await ask({ method: 'GET', path: `/token/${algorithm}` })).text();
    const bearer = (algorithm) => async () => ({ method: 'GET', path: `/${algorithm}`, headers: { authorization: `Bearer ${await token(algorithm)}` } });
    return {
      routes: {
        'node:http, empty answer': () => ({ method: 'GET', path: '/empty' }),
        'the same through `Request` and `Response`': () => ({ method: 'GET', path: '/web' }),
        'node:http and one ES256 verification (`crypto.verify`)': bearer('ES256'),
        'node:http and one RS256 verification (`crypto.verify`)': bearer('RS256'),
      },
    };
  },
};

export async function start() {
  const keys = {};
  for (const [name, { type, options, encoding }] of Object.entries(ALGORITHMS)) {
    const { publicKey, privateKey } = generateKeyPairSync(type, options);
    keys[name] = { privateKey: { key: privateKey, dsaEncoding: encoding }, publicKey: { key: publicKey, dsaEncoding: encoding } };
  }
  let serial = 0;
  const token = (origin, name) => {
    const now = Math.floor(Date.now() / 1000);
    const id = createHmac('sha256', 'jti').update(String(serial++)).digest('base64url');
    const claims = { iss: origin, aud: `${origin}/mcp`, sub: 'alice', client_id: id, scope: 'notes:read notes:write', iat: now, exp: now + 3600, jti: id };
    const signed = [{ alg: name, typ: 'at+jwt', kid: '1' }, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${signed}.${sign('sha256', signed, keys[name].privateKey).toString('base64url')}`;
  };
  const verified = (request, name) => {
    const value = request.headers.authorization.slice(7);
    const dot = value.lastIndexOf('.');
    return verify('sha256', value.slice(0, dot), keys[name].publicKey, Buffer.from(value.slice(dot + 1), 'base64url'));
  };
  return listen((origin) => {
    const standard = web(origin, () => new Response(OK, { headers: { 'content-type': 'application/json' } }));
    return (request, response) => {
      const { url } = request;
      if (url === '/empty') return ok(response);
      if (url === '/web') return standard(request, response);
      if (url.startsWith('/token/')) return response.end(token(origin, url.slice(7)));
      if (verified(request, url.slice(1))) return ok(response);
      response.writeHead(401).end();
    };
  });
}
