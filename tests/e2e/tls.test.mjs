// The issuer over https with a CA of its own, the agent behind TLS, and two agents before one server.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Deployment, allowAll, until } from './deployment.mjs';

let door, token, second;
before(async () => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';  // the client's side is not what is tested here; openssl checks the agent below
  door = await Deployment.start({ tls: true, policy: allowAll('all', '{max_duration: 10m, approval: {approvers: ["demo:approvers"]}}') });
  token = await door.token();
  second = await door.addAgent('agent-b');
});
after(() => door?.close());

test('the agent\'s listener speaks TLS 1.2 and newer and presents its certificate', () => {
  const handshake = (...args) => spawnSync('openssl', ['s_client', '-connect', door.agent.mcp, '-CAfile', door.tls.ca, '-verify_return_error', ...args], { input: '' });
  assert.equal(handshake().status, 0, String(handshake().stderr));
  assert.notEqual(handshake('-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0').status, 0);
});

test('an absolute URI is https here, and HTTP/1.0 is told where its answer ends', async () => {
  const path = '/.well-known/oauth-protected-resource';
  const ask = (target, version, wish = 'close') => new Promise((done, failed) => {
    const [host, port] = door.agent.mcp.split(':');
    let answer = '';
    const socket = connect({ host, port, ca: readFileSync(door.tls.ca) }).setEncoding('utf8').on('error', failed).on('data', (piece) => { answer += piece; }).on('end', () => done(answer));
    socket.write(`GET ${target} ${version}\r\nHost: ${door.agent.mcp}\r\nConnection: ${wish}\r\n\r\n`);
  });
  assert.match(await ask(`https://${door.agent.mcp}${path}`, 'HTTP/1.1'), /^HTTP\/1.1 200 /);
  assert.match(await ask(`http://${door.agent.mcp}${path}`, 'HTTP/1.1'), /^HTTP\/1.1 421 /);
  assert.match(await ask(path, 'HTTP/1.0', 'keep-alive'), /^HTTP\/1.1 200 [^]*\r\nConnection: close\r\n[^]*\r\n\r\n\{.*\}$/);
});

test('a public_url that clients cannot call is refused', () => {
  const check = (url) => {
    const file = door.stage.write('called.yaml', `public_url: "${url}"\n${readFileSync(door.agent.file, 'utf8')}`);
    return spawnSync(join(process.env.SALLYPORT_BIN, 'sallyport-agent'), ['config', 'check', file]);
  };
  assert.equal(check('https://mcp.example.com').status, 0);
  const plain = check('http://mcp.example.com');
  assert.equal(plain.status, 1);
  assert.match(String(plain.stderr), /public_url: "http:\/\/mcp\.example\.com" .* with tls the agent speaks https alone/);
});

test('a session belongs to the agent its first connection reached; another agent does not ride it', async () => {
  const first = await door.session('oracle', token).then(() => undefined, (error) => error);
  assert.equal(JSON.parse(first.body).error.code, 40303, first.body);
  const alice = await door.person('alice');
  const approval = await until('an approval', async () => (await door.json(['approvals', 'list'], alice)).items[0]);
  await door.cli(['approvals', 'approve', approval.id], alice);
  const mcp = await until('the session is open', () => door.session('oracle', token).catch(() => undefined));
  assert.ok((await mcp.call('tools/list')).message.result);
  door.oracle.forget();
  const elsewhere = await door.session('oracle', token, {}, second).then(() => undefined, (error) => error);
  assert.ok(elsewhere, 'the other agent let it in');
  assert.deepEqual(door.oracle.requests, []);
  assert.equal((await door.post('oracle', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, { token, headers: mcp.headers, agent: second })).status, 404);
  await mcp.end();
});
