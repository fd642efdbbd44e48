// Who gets in, and what those who don't are told. The server behind the door is a witness: a refusal counts only if it saw no byte.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { Deployment, allowAll } from './deployment.mjs';

let door, token;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all') });
  token = await door.token();
});
after(() => door?.close());

const initialize = { jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } } };

async function refused(status, options, body = initialize) {
  door.oracle.forget();
  const answer = await door.post('oracle', body, options);
  assert.equal(answer.status, status, answer.body);
  assert.deepEqual(door.oracle.requests, [], 'the server saw something');
  return answer;
}

test('no token gets 401 and the way to the metadata', async () => {
  const { headers } = await refused(401, {});
  const challenge = headers.get('www-authenticate');
  const [, url] = /^Bearer .*resource_metadata="([^"]+)"/.exec(challenge);
  const metadata = await (await fetch(url)).json();
  assert.equal(metadata.resource, door.url('oracle'));
  assert.deepEqual(metadata.authorization_servers, [door.issuer.url]);
});

test('a server that does not exist is told from one that does by nobody without a token', async () => {
  const [known, unknown] = await Promise.all([door.post('oracle', initialize), door.post('no-such', initialize)]);
  assert.equal(known.status, 401);
  assert.equal(unknown.status, 401);
  assert.equal(known.body.replaceAll('oracle', 'X'), unknown.body.replaceAll('no-such', 'X'));
});

const unsigned = (claims, header) => `${Buffer.from(JSON.stringify(header)).toString('base64url')}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.`;
const now = Math.floor(Date.now() / 1000);
const hostile = {
  'expired': () => door.mint({ payload: { iat: now - 7200, exp: now - 3600 } }),
  'for another audience': () => door.mint({ payload: { aud: 'api://other' } }),
  'without audience': () => door.mint({ payload: { aud: null } }),
  'without expiry': () => door.mint({ payload: { exp: null } }),
  'of another issuer': () => door.mint({ payload: { iss: 'https://evil.example' } }),
  'not yet valid': () => door.mint({ payload: { nbf: now + 3600 } }),
  'with a critical extension': () => door.mint({ header: { crit: ['x'], x: 1 } }).then((minted) => minted.startsWith('ey') ? minted : unsigned({}, { alg: 'none' })),
  'that is an ID token': () => door.mint({ payload: { nonce: 'n', at_hash: 'h' } }),
  'bound to a key': () => door.mint({ payload: { cnf: { jkt: 'x' } } }),
  'signed by nobody': async () => unsigned({ iss: door.issuer.url, aud: 'api://sallyport', sub: 'deploy-bot', client_id: 'deploy-bot', jti: 'x', iat: now, exp: now + 600 }, { alg: 'none', typ: 'at+jwt' }),
  'signed with the public key as a secret': async () => {
    const { keys } = await (await fetch(`${door.issuer.url}/jwks`)).json();
    const input = unsigned({ iss: door.issuer.url, aud: 'api://sallyport', sub: 'deploy-bot', client_id: 'deploy-bot', jti: 'x', iat: now, exp: now + 600 }, { alg: 'HS256', typ: 'at+jwt', kid: keys[0].kid }).slice(0, -1);
    return `${input}.${createHmac('sha256', JSON.stringify(keys[0])).update(input).digest('base64url')}`;
  },
  'of an unknown key': () => door.mint({ header: { kid: 'nobody' } }),
  'with a byte too many': async () => `${token}A`,
};
for (const [what, make] of Object.entries(hostile)) {
  test(`a token ${what} gets 401`, async () => {
    const answer = await refused(401, { token: await make() });
    assert.match(answer.headers.get('www-authenticate'), /error="invalid_token"/);
  });
}

test('a token in the query is no token', async () => {
  const response = await fetch(`${door.url('oracle')}?access_token=${token}`, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, body: JSON.stringify(initialize) });
  assert.equal(response.status, 401);
});

test('a principal that no policy names sees what it would see of a server that does not exist', async () => {
  const stray = await door.token('stray-bot');
  const unnamed = await refused(404, { token: stray });
  const missing = await door.post('no-such', initialize, { token: stray });
  assert.equal(missing.status, 404);
  assert.equal(unnamed.body.replaceAll('oracle', 'X'), missing.body.replaceAll('no-such', 'X'));
});

test('a foreign Origin gets 403 before anything else', () => refused(403, { token, headers: { origin: 'https://evil.example' } }));

test('another principal with the first one\'s MCP session id gets 404', async () => {
  const session = await door.session('oracle', token);
  const second = await door.token('second-bot');
  door.oracle.forget();
  const answer = await door.post('oracle', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, { token: second, headers: session.headers });
  assert.equal(answer.status, 404, answer.body);
  assert.deepEqual(door.oracle.requests, []);
  const deleted = await fetch(door.url('oracle'), { method: 'DELETE', headers: { ...session.headers, authorization: `Bearer ${second}` } });
  assert.equal(deleted.status, 404);
  assert.ok((await session.call('tools/list')).message.result, 'the first one goes on');
  await session.end();
});

test('the caller\'s token does not reach the server, its own credential does', async () => {
  const session = await door.session('oracle', token);
  await session.call('tools/call', { name: 'echo', arguments: { message: 'x' } });
  const seen = door.oracle.calls().at(-1).headers;
  assert.equal(seen.authorization, `Bearer ${door.credential}`);
  assert.ok(!JSON.stringify(seen).includes(token));
  await session.end();
});

test('a client of 2026-07-28 is told of a server that speaks the legacy era alone', async () => {
  door.oracle.forget();
  const response = await fetch(door.url('oracle'), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}`, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } } }),
  });
  assert.equal(response.status, 400);
  const { error } = await response.json();
  assert.equal(error.code, -32022);
  assert.ok(error.data.supported.includes('2025-11-25'));
  // It was asked what it is, and nothing else.
  assert.deepEqual(door.oracle.requests.filter(({ method }) => method !== 'server/discover'), []);
});

const malformed = {
  'half a message': '{"jsonrpc":"2.0",',
  'a batch': '[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]',
  'a repeated member': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","name":"delete_record","arguments":{}}}',
  'a repeated member behind an escape': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","n\\u0061me":"delete_record","arguments":{}}}',
  'a case twin': '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","Name":"delete_record","arguments":{}}}',
  'deep nesting': `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":${'['.repeat(100)}${']'.repeat(100)}}}}`,
  'invalid UTF-8': Buffer.concat([Buffer.from('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"m":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}}')]),
  'a null id': '{"jsonrpc":"2.0","id":null,"method":"tools/list"}',
};
for (const [what, body] of Object.entries(malformed)) {
  test(`${what} gets 400 and goes nowhere`, async () => {
    const session = await door.session('oracle', token);
    door.oracle.forget();
    const response = await fetch(door.url('oracle'), { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}`, ...session.headers }, body });
    assert.equal(response.status, 400, await response.text());
    assert.deepEqual(door.oracle.requests, []);
    await session.end();
  });
}

test('a message over the limit gets 413 and the session goes on', async () => {
  const session = await door.session('oracle', token);
  door.oracle.forget();
  const answer = await door.post('oracle', `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"message":"${'x'.repeat(17 << 20)}"}}}`, { token, headers: session.headers }).catch((error) => ({ status: 413, error }));
  assert.equal(answer.status, 413);
  assert.deepEqual(door.oracle.requests, []);
  assert.ok((await session.call('tools/list')).message.result);
  await session.end();
});
