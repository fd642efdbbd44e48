// Tokens as a bot and a person get them: the client credentials grant, and a browser's part of an authorization code login.
//   node tokens.mjs bot ISSUER CLIENT_ID [--resource URI]      prints an access token
//   node tokens.mjs sign-in URL USER                           follows URL as a browser would, signs in as USER, ends at the loopback
import { pathToFileURL } from 'node:url';

const SECRET = (id) => `${id}-secret-0123456789abcdef`;

export async function botToken(issuer, id, resource) {
  const { token_endpoint: endpoint } = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${id}:${SECRET(id)}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'mcp.use', ...(resource ? { resource } : {}) }),
  });
  const answer = await response.json();
  if (!answer.access_token) throw new Error(`${endpoint}: ${JSON.stringify(answer)}`);
  return answer.access_token;
}

export async function signIn(url, user) {
  const jar = new Map();
  let method = 'GET', body;
  for (let hop = 0; hop < 12; ++hop) {
    const response = await fetch(url, {
      method, body, redirect: 'manual',
      headers: { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '), ...(body ? { 'content-type': 'application/x-www-form-urlencoded' } : {}) },
    });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split(/=(.*)/s);
      jar.set(name, value);
    }
    const next = response.headers.get('location');
    if (next) {
      [url, method, body] = [new URL(next, url).href, 'GET', undefined];
    } else if (response.ok && new URL(url).pathname.startsWith('/login/') && method === 'GET') {
      [method, body] = ['POST', new URLSearchParams({ user }).toString()];
    } else {
      if (!response.ok) throw new Error(`${url}: HTTP ${response.status} ${await response.text()}`);
      return response.text();
    }
  }
  throw new Error(`${url}: too many redirects`);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [what, first, second, ...rest] = process.argv.slice(2);
  if (what === 'bot') console.log(await botToken(first, second, rest[0] === '--resource' ? rest[1] : undefined));
  else if (what === 'sign-in') console.log(await signIn(first, second));
  else { console.error('usage: tokens.mjs bot ISSUER CLIENT_ID [--resource URI] | sign-in URL USER'); process.exit(2); }
}
