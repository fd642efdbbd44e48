// A person decides: sessions and single calls, notices, and who may not.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createHmac } from 'node:crypto';
import { Deployment, allowAll, until } from './deployment.mjs';

const SECRET = 'a-webhook-secret-of-some-length';
const notices = [];
let failures = 0;  // so many deliveries fail from now on
const webhook = createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  if (failures-- > 0) { response.writeHead(503).end(); return; }
  notices.push({ signature: request.headers['sallyport-signature'], body: Buffer.concat(chunks).toString() });
  response.end();
});

const gated = `    - require_approval: {tools: [delete_record], approvers: ["demo:approvers"], expires_after: 5m}\n`;
let door, token, alice;
before(async () => {
  await new Promise((done) => webhook.listen(0, '127.0.0.1', done));
  door = await Deployment.start({
    policy: allowAll('all', '{max_duration: 10m}', gated),
    secrets: { SECRET_FILE: SECRET },
    notify: `[{name: hook, webhook: "http://127.0.0.1:${webhook.address().port}/", secret_file: SECRET_FILE, approvers: ["demo:approvers"]}]`,
    agentConfig: 'limits: {approval_hold_seconds: 3}',
  });
  token = await door.token();
  alice = await door.person('alice');
});
after(async () => {
  await door?.close();
  webhook.close();
});

const pending = () => until('a pending approval', async () => (await door.json(['approvals', 'list'], alice)).items[0]);
const erase = (id) => ({ name: 'delete_record', arguments: { id } });
const forwarded = (id) => door.oracle.calls().filter(({ params }) => params?.arguments?.id === id).length;

test('a risky call waits, is approved, goes on at once and is forwarded once', async () => {
  const mcp = await door.session('oracle', token);
  const waiting = mcp.call('tools/call', { ...erase(1), _meta: { progressToken: 'p' } });
  const approval = await pending();
  assert.equal(forwarded(1), 0, 'forwarded before anybody decided');
  assert.equal(approval.tool, 'delete_record');
  assert.deepEqual(JSON.parse(approval.arguments), { id: 1 });
  assert.equal((await door.cli(['approvals', 'approve', approval.id], alice)).code, 0);
  const { message, body } = await waiting;
  assert.equal(message.result.content[0].text, 'deleted 1');
  const [notice] = body.match(/^data: .+$/gm).map((line) => JSON.parse(line.slice(6)).params).filter((params) => params?.progressToken === 'p');
  assert.match(notice.message, new RegExp(`Waiting for approval ${approval.id}`));
  assert.ok(notice.progress < 0, 'the server counts its own progress from zero, and progress must rise');
  assert.equal(forwarded(1), 1);
  assert.equal((await door.json(['approvals', 'show', approval.id], alice)).state, 'consumed');
  await mcp.end();
});

test('a notice reaches the webhook, signed, in spite of a first failure', async () => {
  failures = 1;
  const mcp = await door.session('oracle', token);
  const waiting = mcp.call('tools/call', erase(9));
  const { id } = await pending();
  const { signature, body } = await until('a notice', () => notices.find((one) => one.body.includes(id)), { tries: 300 });
  const { t, v1 } = Object.fromEntries(signature.split(',').map((part) => part.split('=')));
  assert.equal(v1, createHmac('sha256', SECRET).update(`${t}.${body}`).digest('hex'));
  const notice = JSON.parse(body);
  assert.equal(notice.type, 'approval.pending');
  assert.equal(notice.approval.id, id);
  assert.equal(failures, -1, 'it was tried twice');
  assert.equal((await door.cli(['approvals', 'deny', id, '--reason', 'it was about the notice'], alice)).code, 0);
  await waiting;
  await mcp.end();
});

test('a denial reads clearly in the client and nothing is forwarded', async () => {
  const mcp = await door.session('oracle', token);
  const waiting = mcp.call('tools/call', erase(2));
  const approval = await pending();
  assert.notEqual((await door.cli(['approvals', 'deny', approval.id], alice)).code, 0, 'a denial needs a reason');
  assert.equal((await door.cli(['approvals', 'deny', approval.id, '--reason', 'not on a Friday'], alice)).code, 0);
  const { message } = await waiting;
  assert.equal(message.result.isError, true);
  assert.match(message.result.content[0].text, /not on a Friday|denied/);
  assert.equal(forwarded(2), 0);
  await mcp.end();
});

test('a long wait gets the retry answer, and the identical call consumes the approval', async () => {
  const mcp = await door.session('oracle', token);
  const first = await mcp.call('tools/call', erase(3));
  assert.equal(first.message.result.isError, true);
  const approval = await pending();
  assert.match(first.message.result.content[0].text, new RegExp(approval.id));
  assert.equal((await door.cli(['approvals', 'approve', approval.id], alice)).code, 0);
  assert.equal(forwarded(3), 0, 'nothing runs until the identical call comes');
  const other = mcp.call('tools/call', erase(33));
  assert.equal((await mcp.call('tools/call', erase(3))).message.result.content[0].text, 'deleted 3');
  const again = mcp.call('tools/call', erase(3));
  assert.equal((await again).message.result.isError, true, 'the approval was for one call');
  await other;
  assert.equal(forwarded(3), 1);
  assert.equal(forwarded(33), 0);
  await mcp.end();
});

test('a cancelled call withdraws its approval', async () => {
  const mcp = await door.session('oracle', token);
  const waiting = mcp.call('tools/call', erase(4), 'cancel-me');
  const approval = await until('its approval', async () => (await door.json(['approvals', 'list'], alice)).items.find((item) => JSON.parse(item.arguments).id === 4));
  await door.post('oracle', { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 'cancel-me' } }, { token, headers: mcp.headers });
  await until('withdrawn', async () => (await door.json(['approvals', 'show', approval.id], alice)).state === 'withdrawn');
  assert.notEqual((await door.cli(['approvals', 'approve', approval.id], alice)).code, 0);
  const answer = await Promise.race([waiting, new Promise((done) => setTimeout(done, 2000))]);
  assert.ok(!answer?.message?.result);
  assert.equal(forwarded(4), 0);
  await mcp.end();
});

test('who is no approver is refused, and so is the local administrator', async () => {
  const mcp = await door.session('oracle', token);
  const waiting = mcp.call('tools/call', erase(5));
  const approval = await until('its approval', async () => (await door.json(['approvals', 'list'], alice)).items.find((item) => JSON.parse(item.arguments).id === 5));
  for (const as of [await door.person('carol'), await door.person('dora'), { token }, undefined]) {
    const { code, err } = await door.cli(['approvals', 'approve', approval.id], as);
    assert.equal(code, 1, err);
  }
  assert.equal((await waiting).message.result.isError, true);
  assert.equal(forwarded(5), 0);
  await mcp.end();
});

test('nobody approves himself', async () => {
  await door.apply(`${allowAll('all', '{max_duration: 10m}', gated)}---
kind: Policy
name: people
spec:
  principals: [{realm: demo, groups: [approvers]}]
  servers: [oracle]
  session: {approval: {approvers: ["demo:approvers"]}}
  rules: [{allow: {tools: [echo]}}]
`);
  const own = await door.stage.login(door.controlPlane, door.issuer.url, 'bob', 'api://sallyport');
  const request = await door.cli(['request', 'oracle', '--reason', 'mine'], own);
  assert.equal(request.code, 0, request.err);
  const approval = await until('his approval', async () => (await door.json(['approvals', 'list'], alice)).items.find((item) => item.principal.subject === 'bob'));
  const bob = await door.person('bob');
  const refused = await door.cli(['approvals', 'approve', approval.id], bob);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /own|requester|himself|yourself/);
  assert.equal((await door.cli(['approvals', 'approve', approval.id], alice)).code, 0);
});

test('what would be refused once it is approved is asked of nobody', async () => {
  await door.apply(allowAll('all', '{max_duration: 10m}', '    - require_approval: {tools: [delete_record], approvers: ["demo:approvers"], once: {by: [/id]}}\n'));
  const mcp = await door.session('oracle', token);
  const waiting = mcp.call('tools/call', erase(6));
  const approval = await until('its approval', async () => (await door.json(['approvals', 'list'], alice)).items.find((item) => JSON.parse(item.arguments).id === 6));
  assert.equal((await door.cli(['approvals', 'approve', approval.id], alice)).code, 0);
  assert.equal((await waiting).message.result.content[0].text, 'deleted 6');
  const told = notices.length;
  const { message } = await mcp.call('tools/call', { name: 'delete_record', arguments: { note: 'again', id: 6 } });
  assert.equal(message.result._meta.reason, 'already_done', JSON.stringify(message));
  assert.deepEqual((await door.json(['approvals', 'list'], alice)).items, []);
  assert.equal(notices.length, told);
  assert.equal(forwarded(6), 1);
  await mcp.end();
});

test('of another reason and of more time the approvers are told anew', async () => {
  const bob = await door.stage.login(door.controlPlane, door.issuer.url, 'bob', 'api://sallyport');
  await door.apply(`kind: Policy
name: people
spec:
  principals: [{realm: demo, groups: [approvers]}]
  servers: [oracle]
  session: {open: request, max_duration: 1h, approval: {approvers: ["demo:approvers"]}}
  rules: [{allow: {tools: [echo]}}]
`, 'people.yaml');
  for (const { id, principal } of (await door.json(['sessions', 'list'])).items) if (principal.subject === 'bob') await door.cli(['sessions', 'end', id, '--no-lock']);
  const ask = async (...words) => {
    const { code, err } = await door.cli(['request', 'oracle', ...words], bob);
    assert.equal(code, 0, err);
    return /Waiting for approval (\S+) by/.exec(err)[1];
  };
  const first = await ask('--reason', 'one log', '--duration', '1m');
  assert.equal(await ask('--reason', 'one log', '--duration', '30s'), first);
  const second = await ask('--reason', 'anything', '--duration', '50m');
  assert.notEqual(second, first);
  const stale = await door.cli(['approvals', 'approve', first], alice);
  assert.equal(stale.code, 1);
  assert.match(stale.err, /was withdrawn/);
  const notice = await until('a second notice', () => notices.map(({ body }) => JSON.parse(body)).find((one) => one.approval?.id === second), { tries: 300 });
  assert.deepEqual([notice.approval.reason, notice.approval.duration], ['anything', '50m']);
  assert.equal((await door.cli(['approvals', 'deny', second, '--reason', 'not that long'], alice)).code, 0);
});
