// The smallest OIDC issuer that can mint ten thousand tokens in seconds: discovery, one RS256 key, and no login.
import { createServer } from 'node:http';
import { generateKeyPair, randomUUID, sign } from 'node:crypto';
import { promisify } from 'node:util';

export const AUDIENCE = 'api://sallyport';
const generate = promisify(generateKeyPair);
const signed = promisify(sign);
const encoded = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export class Issuer {
  static async start() {
    const self = new Issuer();
    self.begun = Math.floor(Date.now() / 1000);
    const { privateKey, publicKey } = await generate('rsa', { modulusLength: 2048 });
    self.key = privateKey;
    self.pem = publicKey.export({ type: 'spki', format: 'pem' });
    const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'bench', alg: 'RS256', use: 'sig' }];
    self.server = createServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      if (request.url === '/jwks') response.end(JSON.stringify({ keys }));
      else if (request.url.startsWith('/.well-known/')) response.end(JSON.stringify({ issuer: self.url, jwks_uri: `${self.url}/jwks`, token_endpoint: `${self.url}/token`, authorization_endpoint: `${self.url}/authorize` }));
      else response.writeHead(404).end('{}');
    });
    await new Promise((done) => self.server.listen(0, '127.0.0.1', done));
    self.url = `http://127.0.0.1:${self.server.address().port}`;
    return self;
  }

  // A service's access token; no two are alike. All end at one time: a session that is brought a token that ends later renews itself at the
  // control plane, which is not what is measured here.
  async mint(client) {
    const now = this.begun;
    const head = encoded({ alg: 'RS256', kid: 'bench', typ: 'at+jwt' });
    const claims = encoded({ iss: this.url, aud: AUDIENCE, iat: now, exp: now + 36000, jti: randomUUID(), client_id: client, sub: client, scope: 'mcp.use' });
    return `${head}.${claims}.${(await signed('sha256', Buffer.from(`${head}.${claims}`), this.key)).toString('base64url')}`;
  }

  // `count` tokens that take turns over `principals` clients: [{client, token}].
  async mintMany(count, principals) {
    const minted = [];
    while (minted.length < count) {
      const batch = Array.from({ length: Math.min(64, count - minted.length) }, (_, i) => `bench-${(minted.length + i) % principals}`);
      minted.push(...await Promise.all(batch.map(async (client) => ({ client, token: await this.mint(client) }))));
    }
    return minted;
  }

  close() { this.server.close(); }
}
