// A session without its approval, in an emergency: who may, who is told, what stands in the recording, who looks back.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { Deployment, until } from './deployment.mjs';

const policy = `kind: Policy
name: production
spec:
  principals: [{realm: demo}]
  servers: ["*"]
  session: {max_duration: 1h, approval: {approvers: ["demo:approvers"]}, break_glass: {groups: ["demo:deployers"], max_duration: 5m}}
  rules: [{allow: {tools: ["*"]}}]
`;

let door, receiver;
const notices = [];
before(async () => {
  receiver = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    notices.push(JSON.parse(Buffer.concat(chunks).toString()));
    response.writeHead(204).end();
  });
  await new Promise((done) => receiver.listen(0, '127.0.0.1', done));
  door = await Deployment.start({
    policy, secrets: { SECRET: '0123456789abcdef0123456789abcdef' },
    notify: `[{name: pager, webhook: "http://127.0.0.1:${receiver.address().port}/", secret_file: SECRET, approvers: ["demo:approvers"]}]`,
  });
});
after(async () => { await door?.close(); receiver?.close(); });

const list = async (...flags) => (await door.json(['sessions', 'list', ...flags])).items;

test('break-glass opens at once, tells whom it skipped, and stands as unreviewed until one of them has looked', async () => {
  const bot = await door.token();
  const waiting = await door.session('oracle', bot).then(() => undefined, ({ body }) => JSON.parse(body).error);
  assert.equal(waiting.code, 40303);
  const { code, out, err } = await door.cli(['break-glass', 'oracle', '--reason', 'orders are lost', '-o', 'json'], { token: bot });
  assert.equal(code, 0, err);
  assert.match(err, /demo:approvers/);
  const session = JSON.parse(out);
  assert.equal(session.state, 'active');
  assert.equal(session.id, waiting.data.sessionId, 'the session that waited');
  const notice = await until('the approvers are told', () => notices.find(({ type }) => type === 'session.break_glass'));
  assert.equal(notice.session.reason, 'orders are lost');
  assert.equal(notice.session.id, session.id);
  const again = await door.cli(['break-glass', 'oracle', '--reason', 'and the backup'], { token: bot });
  assert.equal(again.code, 0);
  assert.match(again.err, /it keeps the reason "orders are lost"\. Nobody is told of "and the backup"/);
  assert.doesNotMatch(again.err, /Being told/);

  const mcp = await door.session('oracle', bot);
  assert.ok((await mcp.call('tools/call', { name: 'echo', arguments: { message: 'fixed' } })).message.result);
  const alice = await door.person('alice');
  const early = await door.cli(['sessions', 'review', session.id, '--note', 'too early'], alice);
  assert.equal(early.code, 1);
  await mcp.end();
  await until('it has ended', async () => (await list('--unreviewed')).some(({ id, state }) => id === session.id && state === 'ended'));
  // Who reviews it has no role that sees sessions, and sees this one.
  const seen = async (...args) => JSON.parse((await door.cli(['sessions', ...args, '-o', 'json'], alice)).out);
  assert.deepEqual((await seen('list', '--unreviewed')).items.map(({ id }) => id), [session.id]);
  assert.equal((await seen('show', session.id)).breakGlass.skippedApprovers[0], 'demo:approvers');
  const others = await door.cli(['sessions', 'list'], alice);
  assert.match(others.err, /role_missing/);
  const dora = await door.person('dora');
  const { out: replay } = await door.cli(['sessions', 'replay', session.id], dora);
  assert.match(replay, /break-glass=orders are lost/);
  assert.match((await door.cli(['sessions', 'show', session.id])).out, /unreviewed/);

  assert.equal((await door.cli(['sessions', 'review', session.id, '--note', 'not mine to say'], await door.person('carol'))).code, 1);
  const review = await door.json(['sessions', 'review', session.id, '--note', 'the fix was right'], alice);
  assert.equal(review.breakGlass.review.note, 'the fix was right');
  assert.equal(review.breakGlass.review.by.realm, 'demo');
  assert.deepEqual(await list('--unreviewed'), []);
});

test('who is not in the group is refused, and needs a reason where he is', async () => {
  const stray = await door.token('stray-bot');
  const { code, err } = await door.cli(['break-glass', 'oracle', '--reason', 'me too'], { token: stray });
  assert.equal(code, 1);
  assert.match(err, /may not break glass/);
  assert.equal((await door.cli(['break-glass', 'oracle'], { token: stray })).code, 2);
});
