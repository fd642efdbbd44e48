// What is recorded and what is not: masked, whole, kept over restarts, and no secret anywhere it should not be.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment, allowAll, until } from './deployment.mjs';

let door, token, dora;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all').replace(/rules:/, 'mask: [secrets, pii, house]\n  rules:') + '---\nkind: MaskProfile\nname: house\nspec: {fields: [{keys: [password]}], patterns: [{name: ticket, re2: "TCK-[0-9]{8}"}]}\n' });
  token = await door.token();
  dora = await door.person('dora');
});
after(() => door?.close());

const latest = async () => (await door.json(['sessions', 'list'])).items[0];
const verified = (id) => until(`recording of ${id} whole`, () => door.isWhole(id));
async function records(id) {
  const { out } = await door.cli(['sessions', 'replay', id, '-o', 'json'], dora);
  const parsed = JSON.parse(out);
  return parsed.items ?? parsed;
}

test('secrets come back masked in every place, and the rest stays byte for byte', async () => {
  const mcp = await door.session('oracle', token);
  const { message } = await mcp.call('tools/call', { name: 'secret', arguments: {} });
  assert.equal(message.result.content[0].text, 'key [REDACTED:aws] of [REDACTED:email]');
  assert.ok(!JSON.stringify(message).includes('4111111111111111'));
  assert.ok(!JSON.stringify(message).includes('hunter2'));
  const echo = (text) => mcp.call('tools/call', { name: 'echo', arguments: { message: text } }).then((answer) => answer.message.result.content[0].text);
  assert.equal(await echo('plain – ünïcode "q" \\ 12345678901234567890'), 'Echo: plain – ünïcode "q" \\ 12345678901234567890');
  assert.equal(await echo('TCK-12345678'), 'Echo: [REDACTED:ticket]');
  assert.equal(await echo(`say ${door.credential} again`), 'Echo: say [REDACTED:credential] again');
  assert.ok(!(await echo(Buffer.from(`xx${door.credential}`).toString('base64'))).includes(Buffer.from(`xx${door.credential}`).toString('base64')));
  await mcp.end();
});

test('a replay shows request and result, masked, and verify says whole', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  await mcp.call('tools/call', { name: 'echo', arguments: { message: 'AKIAZQ3DRSTUVWXY2LMN' } });
  await mcp.end();
  await verified(id);
  const all = await records(id);
  const types = all.map((record) => record.type);
  assert.equal(types[0], 'open');
  assert.equal(types.at(-1), 'end');
  assert.ok(types.includes('request') && types.includes('result'));
  assert.deepEqual(all.map((record) => Number(record.n)), all.map((_, i) => i + 1));
  assert.ok(!JSON.stringify(all).includes('AKIAZQ3DRSTUVWXY2LMN'));
});

test('a request of the server with a secret for its id gets no answer and leaves no trace of it', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  for (const secret of [door.credential, 'AKIAZQ3DRSTUVWXY2LMN']) {
    door.oracle.misbehave = (message, _, response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).end(
      `data: ${JSON.stringify({ jsonrpc: '2.0', id: secret, method: 'ping' })}\n\ndata: ${JSON.stringify({ jsonrpc: '2.0', id: message.id, result: { content: [] } })}\n\n`);
    assert.ok((await mcp.call('tools/call', { name: 'echo', arguments: {} })).message.result);
  }
  door.oracle.misbehave = undefined;
  await mcp.end();
  await verified(id);
  const all = JSON.stringify(await records(id));
  assert.ok(all.includes('masker_blocked'));
  assert.ok(!all.includes(door.credential) && !all.includes('AKIAZQ3DRSTUVWXY2LMN'));
});

test('what an agent refused before a session is found by its name, replayed and verified', async () => {
  assert.equal((await door.post('oracle', { jsonrpc: '2.0', id: 1, method: 'tools/list' }, { token: 'a.b.c' })).status, 401);
  const [recording] = await until('the refusal is recorded', async () => {
    const { items } = await door.json(['agents', 'recordings', 'agent-a']);
    return items.length > 0 && items;
  });
  assert.match(recording.id, /^agent:agent-a:/);
  const { out } = await door.cli(['agents', 'recordings', 'agent-a'], dora);
  assert.match(out, new RegExp(`^ID +BEGAN +LAST RECEIVED +RECORDS\n${recording.id} +20.*Z +20.*Z +\\d+\n$`));
  assert.ok((await records(recording.id)).some(({ type, content }) => type === 'denial' && content.denialReason === 'token_invalid'));
  const proven = await door.cli(['sessions', 'verify', recording.id]);
  assert.equal(proven.code, 0);
  assert.match(proven.out, new RegExp(`^${recording.id} OPEN, valid so far`));
  const unknown = await door.cli(['agents', 'recordings', 'nobody']);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /there is no agent nobody/);
});

test('only an auditor replays', async () => {
  const { id } = await latest();
  for (const as of [await door.person('alice'), await door.person('carol'), { token }, undefined]) {
    assert.equal((await door.cli(['sessions', 'replay', id], as)).code, 1);
  }
});

test('a restart of either side loses no record and the session goes on', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  const first = await mcp.call('tools/call', { name: 'echo', arguments: { message: 'one' } });
  assert.ok(first.message.result, first.body);
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  assert.ok((await mcp.call('tools/call', { name: 'echo', arguments: { message: 'two' } })).message.result, 'a live session needs no control plane');
  const port = door.controlPlane.api.split(':')[1];
  execFileSync('sed', ['-i', `s/^listen: 127.0.0.1:0/listen: 127.0.0.1:${port}/`, door.controlPlane.file]);
  door.controlPlane = await door.stage.restart(door.controlPlane);
  assert.ok((await mcp.call('tools/call', { name: 'echo', arguments: { message: 'three' } })).message.result);
  await door.stage.stop(door.agent, 'SIGKILL');
  door.agent = await door.stage.restart(door.agent);
  assert.equal((await door.post('oracle', { jsonrpc: '2.0', id: 9, method: 'tools/list' }, { token, headers: mcp.headers })).status, 404, 'its MCP sessions are gone');
  const next = await until('the session is confirmed', () => door.session('oracle', token).catch(() => undefined));
  assert.equal((await latest()).id, id, 'the session is the same');
  await next.call('tools/call', { name: 'echo', arguments: { message: 'four' } });
  await next.end();
  await verified(id);
  const bodies = JSON.stringify(await records(id));
  for (const word of ['one', 'two', 'three', 'four']) assert.ok(bodies.includes(`Echo: ${word}`), word);
});

function* files(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) yield path;
  }
}

test('no credential and no token is in a log, a database or the spool', async () => {
  const needles = [door.credential, token, token.split('.')[2], 'AKIAZQ3DRSTUVWXY2LMN', '4111111111111111'];
  for (const place of [door.controlPlane.dataDir, door.agent.dataDir]) {
    for (const path of files(place)) {
      if (statSync(path).size > 64 << 20) continue;
      const content = readFileSync(path);
      for (const needle of needles) assert.ok(!content.includes(needle), `${path} holds ${needle.slice(0, 12)}...`);
    }
  }
  for (const { log } of [door.controlPlane, door.agent]) for (const needle of needles) assert.ok(!log.join('\n').includes(needle));
});
