// What is broken says so, clearly, and nothing gets through.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment, allowAll, until } from './deployment.mjs';

let door, token;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all') });
  token = await door.token();
});
after(() => door?.close());

// Turns a byte of a record of this session that others follow: what a disk does, not a torn write.
function damageFirstUnacked(folder, id) {
  for (const name of readdirSync(folder).filter((entry) => entry.startsWith('segment-'))) {
    const bytes = readFileSync(join(folder, name));
    const places = [];
    for (let at = bytes.indexOf(id); at !== -1; at = bytes.indexOf(id, at + 1)) places.push(at);
    if (places.length < 4) continue;
    bytes[places.at(-3)] ^= 1;
    writeFileSync(join(folder, name), bytes);
    return;
  }
  throw new Error(`no record of ${id} on the disk`);
}

const echo = { name: 'echo', arguments: { message: 'x' } };
const latest = async () => (await door.json(['sessions', 'list'])).items[0];

test('a server that dies in a call: upstream_lost, forwarded once, outcome unknown', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  door.oracle.forget();
  door.oracle.misbehave = (_, request) => request.socket.destroy();
  const { message, body } = await mcp.call('tools/call', echo);
  door.oracle.misbehave = undefined;
  assert.match(body, /upstream_lost/);
  assert.ok(message.result?.isError || message.error);
  assert.equal(door.oracle.calls().length, 1);
  const dora = await door.person('dora');
  await until('the outcome is recorded', async () => /unknown/.test((await door.cli(['sessions', 'replay', id, '-o', 'json'], dora)).out));
  await mcp.end();
});

const garbage = {
  'half a message': '{"jsonrpc":"2.0","id":',
  'a repeated member': (id) => `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[],"content":[{"type":"text","text":"LEAK"}]}}`,
  'an answer to another request': '{"jsonrpc":"2.0","id":"other","result":{"content":[{"type":"text","text":"LEAK"}]}}',
  'HTML': '<html>LEAK</html>',
};
for (const [what, bytes] of Object.entries(garbage)) {
  test(`a server that answers with ${what}: the caller sees no byte of it`, async () => {
    const mcp = await door.session('oracle', token);
    door.oracle.misbehave = (message, _, response) => response.writeHead(200, { 'content-type': 'application/json' }).end(typeof bytes === 'string' ? bytes : bytes(message.id));
    const { body } = await mcp.call('tools/call', echo);
    door.oracle.misbehave = undefined;
    assert.match(body, /upstream_(invalid|lost)/);
    assert.ok(!body.includes('LEAK'));
    await mcp.end();
  });
}

test('a redirect is not followed and an error page is not shown', async () => {
  const mcp = await door.session('oracle', token);
  door.oracle.misbehave = (_, __, response) => response.writeHead(302, { location: 'http://169.254.169.254/LEAK' }).end('LEAK');
  const { body } = await mcp.call('tools/call', echo);
  door.oracle.misbehave = undefined;
  assert.match(body, /upstream_/);
  assert.ok(!body.includes('LEAK'));
  await mcp.end();
});

test('a dead control plane: no new session, with the reason; back again: it opens', async () => {
  const second = await door.token('second-bot');
  const port = door.controlPlane.api.split(':')[1];
  execFileSync('sed', ['-i', `s/^listen: 127.0.0.1:0/listen: 127.0.0.1:${port}/`, door.controlPlane.file]);
  await door.stage.stop(door.controlPlane);
  const refused = await door.session('oracle', second).then(() => undefined, (error) => error);
  assert.match(refused.body, /control_plane_unavailable/);
  door.controlPlane = await door.stage.restart(door.controlPlane);
  const mcp = await until('the door opens again', () => door.session('oracle', second).catch(() => undefined));
  await mcp.end();
});

test('a session that ends while nobody hears it is ended and whole after both sides were killed', async () => {
  const mcp = await door.session('oracle', token);
  await mcp.call('tools/call', echo);
  const { id } = await latest();
  await until('its call is counted while it is open', async () => (await door.json(['sessions', 'show', id])).calls === 1);
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  await mcp.end();
  await until('the agent has ended it', () => door.agent.log.some((line) => line.includes('"session_ended"') && line.includes(id)));
  await new Promise((done) => setTimeout(done, 300));  // its END record is on disk
  await door.stage.stop(door.agent, 'SIGKILL');
  door.controlPlane = await door.stage.restart(door.controlPlane);
  assert.equal((await door.json(['sessions', 'show', id])).state, 'active');
  door.agent = await door.stage.restart(door.agent);
  const ended = await until('it is ended here', async () => {
    const session = await door.json(['sessions', 'show', id]);
    return session.state === 'ended' && session;
  });
  assert.deepEqual([ended.endReason, ended.calls], ['completed', 1]);
  await until('its recording is whole', () => door.isWhole(id));
  const again = await until('the door opens again', () => door.session('oracle', token).catch(() => undefined));
  assert.notEqual((await latest()).id, id);
  await again.end();
  assert.ok(!door.agent.log.some((line) => line.includes('"recording_set_aside"')), 'two histories of one session');
});

test('a session whose recording is damaged on the agent\'s disk is revoked, with an alarm', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  await door.stage.stop(door.controlPlane);
  for (let i = 0; i < 3; ++i) await mcp.call('tools/call', echo);
  await door.stage.stop(door.agent, 'SIGKILL');
  damageFirstUnacked(join(door.agent.dataDir, 'spool/sessions'), id);
  door.agent = await door.stage.restart(door.agent);
  assert.ok(door.agent.log.some((line) => line.includes('"recording_damaged"') && line.includes(id)), door.agent.log.join('\n'));
  door.controlPlane = await door.stage.restart(door.controlPlane);
  const ended = await until('it is revoked', async () => {
    const session = await door.json(['sessions', 'show', id]);
    return session.state === 'ended' && session;
  }, { tries: 300 });
  assert.equal(ended.endReason, 'revoked');
  assert.match(ended.detail, /recording was damaged/);
  assert.ok(door.controlPlane.log.some((line) => line.includes('"recording_damaged"') && line.includes(id)));
  assert.equal((await door.cli(['sessions', 'verify', id])).code, 1);
  const again = await until('the door opens again', () => door.session('oracle', token).catch(() => undefined));
  await again.end();
});

test('a join token works once', async () => {
  const { joinToken } = await door.json(['agents', 'token', 'create', '--name', 'twice', '--servers', 'oracle']);
  const first = await door.stage.agent('twice', door.agentConfig, joinToken);
  await door.stage.stop(first);
  await assert.rejects(door.stage.agent('thief', door.agentConfig, joinToken), /join/);
});

test('a configuration with an unknown or repeated key is refused with file, line and key', async () => {
  for (const [text, key] of [['listen: 127.0.0.1:0\nlisten: 127.0.0.1:1\n', 'listen'], ['listen: 127.0.0.1:0\nlitsen: 1\n', 'litsen']]) {
    for (const program of ['sallyport', 'sallyport-agent']) {
      const file = door.stage.write('broken.yaml', text);
      const { status, stderr } = spawnSync(join(door.stage.bin, program), ['config', 'check', file]);
      assert.equal(status, 1);
      assert.match(String(stderr), new RegExp(`${file}:2.*${key}`));
    }
  }
});

test('a policy with a typo is refused with file, line and key, and nothing of its folder is applied', async () => {
  const file = door.stage.write('typo.yaml', `${allowAll('fine')}---\nkind: Policy\nname: typo\nspec:\n  principals: [{realm: demo}]\n  servers: [oracle]\n  rules:\n    - alow: {tools: [echo]}\n`);
  const { code, err } = await door.cli(['apply', '-f', file]);
  assert.equal(code, 1);
  assert.match(err, /typo\.yaml:\d+.*alow/);
  assert.ok(!(await door.json(['get', 'policy'])).items.some((item) => item.name === 'fine'));
});

test('a full spool: recorder_unavailable, nothing reaches the server, and the door opens again when there is room', async () => {
  await door.stage.stop(door.controlPlane);
  const file = door.agent.file;
  await door.stage.stop(door.agent);
  execFileSync('sed', ['-i', 's/spool_max_bytes: 256MiB/spool_max_bytes: 64MiB/', file]);
  door.controlPlane = await door.stage.restart(door.controlPlane);
  door.agent = await door.stage.restart(door.agent);
  const mcp = await until('a session', () => door.session('oracle', token).catch(() => undefined));
  await door.stage.stop(door.controlPlane);
  const big = { name: 'echo', arguments: { message: 'x'.repeat(4 << 20) } };
  let refused;
  for (let i = 0; i < 40 && !refused; ++i) {
    door.oracle.forget();
    const { body } = await mcp.call('tools/call', big);
    refused = /recorder_unavailable/.test(body);
  }
  assert.ok(refused, 'the spool never filled up');
  // The last one may have been recorded and sent, and only its answer had no room. Now there is none for a request.
  door.oracle.forget();
  assert.match((await mcp.call('tools/call', big)).body, /recorder_unavailable/);
  assert.deepEqual(door.oracle.calls(), [], 'a call without its record');
  door.controlPlane = await door.stage.restart(door.controlPlane);
  await until('room again', async () => (await mcp.call('tools/call', echo)).message?.result?.content?.[0]?.text === 'Echo: x', { tries: 300 });
  await mcp.end();
});
