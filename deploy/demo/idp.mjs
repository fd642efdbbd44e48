#!/usr/bin/env node
// A real OpenID provider (npm oidc-provider, OpenID Certified) for the quickstart and the end-to-end tests: two bots, a command-line
// client and a few people. Loopback only; its secrets are public.
//   node idp.mjs --port 0 [--tls-cert FILE --tls-key FILE] [--redirect URI]      prints {"issuer": ...} on one line when it serves
// POST /test/mint {header, payload, alg, key} signs any token, POST /test/rotate starts a new key, for tests that need hostile ones.
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { randomUUID } from 'node:crypto';
import * as jose from 'jose';
import { Provider, errors, interactionPolicy } from 'oidc-provider';

export const CALLERS_AUDIENCE = 'api://sallyport';
export const PEOPLE_AUDIENCE = 'api://sallyport-admin';
const SCOPES = 'mcp.use mcp.read';

const BOTS = {
  'deploy-bot': { secret: 'deploy-bot-secret-0123456789abcdef', groups: ['deployers'] },
  'stray-bot': { secret: 'stray-bot-secret-0123456789abcdef', groups: [] },
  'second-bot': { secret: 'second-bot-secret-0123456789abcdef', groups: ['deployers'] },
};
const PEOPLE = {
  alice: { groups: ['approvers'] },
  bob: { groups: ['approvers'] },
  dora: { groups: ['platform-admins', 'auditors'] },
  carol: { groups: [] },
};

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'tls-cert': { type: 'string' },
    'tls-key': { type: 'string' },
    'token-seconds': { type: 'string', default: '3600' },
  },
});

// oidc-provider warns about its development defaults; none of them is used here in earnest.
for (const level of ['warn', 'info']) {
  const print = console[level];
  console[level] = (...words) => { if (!/oidc-provider/.test(String(words[0]))) print(...words); };
}

async function newKey(alg, kid = randomUUID()) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true, modulusLength: 2048 });
  return { ...(await jose.exportJWK(privateKey)), kid, alg, use: 'sig' };
}

const keys = [await newKey('RS256'), await newKey('ES256')];

function clients() {
  const bots = Object.entries(BOTS).map(([id, bot]) => ({
    client_id: id, client_secret: bot.secret, grant_types: ['client_credentials'], response_types: [], redirect_uris: [],
  }));
  // A public native client: RFC 8252 lets it come back on any loopback port.
  const cli = {
    client_id: 'sallyport-cli', application_type: 'native', token_endpoint_auth_method: 'none',
    grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: ['http://127.0.0.1/callback'],
  };
  return [...bots, cli];
}

function account(id) {
  const person = PEOPLE[id];
  if (!person) return undefined;
  return { accountId: id, claims: () => ({ sub: id, name: id, groups: person.groups, uid: `u-${id}` }) };
}

function makeProvider(issuer) {
  const policy = interactionPolicy.base();
  policy.remove('consent');  // our own first-party client
  return new Provider(issuer, {
    clients: clients(),
    jwks: { keys },
    scopes: ['openid', 'profile', ...SCOPES.split(' ')],
    claims: { openid: ['sub'], profile: ['name', 'groups', 'uid'] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    ttl: { AccessToken: () => Number(options['token-seconds']), ClientCredentials: () => Number(options['token-seconds']), IdToken: 3600, AuthorizationCode: 60, Session: 3600, Interaction: 600, Grant: 3600 },
    cookies: { keys: ['demo'] },
    interactions: { policy, url: (_, interaction) => `/login/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => CALLERS_AUDIENCE,
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (!/^(api|https?):\/\//.test(resource)) throw new errors.InvalidTarget();
          return { audience: resource, scope: SCOPES, accessTokenFormat: 'jwt', accessTokenTTL: Number(options['token-seconds']), jwt: { sign: { alg: 'RS256' } } };
        },
      },
    },
    findAccount: (_, id) => account(id),
    extraTokenClaims: (_, token) => {
      if (token.accountId) return { uid: `u-${token.accountId}`, groups: PEOPLE[token.accountId].groups };
      return { groups: BOTS[token.clientId]?.groups ?? [] };
    },
    loadExistingGrant: async ({ oidc }) => {
      const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId: oidc.session.accountId });
      grant.addOIDCScope('openid profile');
      grant.addResourceScope(oidc.params.resource ?? CALLERS_AUDIENCE, SCOPES);
      await grant.save();
      return grant;
    },
    renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
  });
}

const readBody = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

async function login(provider, request, response) {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(`<!doctype html><title>Sign in</title><form method="post"><label>User <input name="user" autofocus></label> <button>Sign in</button></form><p>${Object.keys(PEOPLE).join(', ')}`);
    return;
  }
  const user = new URLSearchParams(await readBody(request)).get('user');
  if (!PEOPLE[user]) {
    response.writeHead(401).end('no such user');
    return;
  }
  await provider.interactionFinished(request, response, { login: { accountId: user } });
}

async function mint(issuer, { header = {}, payload = {}, alg = 'RS256', key }) {
  const jwk = key ?? keys.find((candidate) => candidate.alg === alg);
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, aud: CALLERS_AUDIENCE, iat: now, exp: now + 600, jti: randomUUID(), client_id: 'deploy-bot', sub: 'deploy-bot', scope: SCOPES, ...payload };
  for (const [name, value] of Object.entries(claims)) if (value === null) delete claims[name];
  return new jose.CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({ alg, kid: jwk.kid, typ: 'at+jwt', ...header })
    .sign(await jose.importJWK(jwk, alg));
}

const secure = options['tls-cert'] !== undefined;
let provider, serve;
const handler = async (request, response) => {
  try {
    if (request.url === '/test/mint') {
      response.end(await mint(provider.issuer, JSON.parse(await readBody(request))));
    } else if (request.url === '/test/rotate') {
      keys.splice(0, keys.length, await newKey('RS256'), await newKey('ES256'));
      provider = makeProvider(provider.issuer);
      serve = provider.callback();
      response.end('rotated\n');
    } else if (request.url.startsWith('/login/')) {
      await login(provider, request, response);
    } else {
      serve(request, response);
    }
  } catch (error) {
    response.writeHead(500).end(`${error}\n`);
  }
};
const server = secure
  ? createTlsServer({ cert: readFileSync(options['tls-cert']), key: readFileSync(options['tls-key']) }, handler)
  : createServer(handler);
server.listen(Number(options.port), '127.0.0.1', () => {
  const issuer = `${secure ? 'https' : 'http'}://127.0.0.1:${server.address().port}`;
  provider = makeProvider(issuer);
  serve = provider.callback();
  console.log(JSON.stringify({ issuer }));
});
