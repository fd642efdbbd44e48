// How a session opens and how it ends: each end with its recording closed and nothing left behind.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Deployment, allowAll, until } from './deployment.mjs';

let door, token;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all') });
  token = await door.token();
});
after(() => door?.close());

const latest = async () => (await door.json(['sessions', 'list'])).items[0];
const ended = (id, state = 'ended') => until(`session ${id} ${state}`, async () => {
  const session = await door.json(['sessions', 'show', id]);
  return session.state === state && session;
});
const recorded = (id) => until(`recording of ${id} whole`, () => door.isWhole(id));

test('a first connection opens a session, the last DELETE completes it', async () => {
  const one = await door.session('oracle', token), two = await door.session('oracle', token);
  const session = await latest();
  assert.equal(session.state, 'active');
  assert.equal(session.principal.clientId, 'deploy-bot');
  assert.equal(session.agent, 'agent-a');
  assert.ok((await one.end()).ok);
  assert.ok((await two.call('tools/list')).message.result, 'DELETE of one MCP session ends only that');
  assert.equal((await one.call('tools/list')).status, 404);
  await two.end();
  assert.equal((await ended(session.id)).endReason, 'completed');
  assert.equal((await recorded(session.id)).valid, true);
});

test('sessions end cuts the session within a second and a lock keeps it shut', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  const waiting = mcp.call('tools/call', { name: 'slow', arguments: { ms: 30000 } });
  await until('the call is with the server', () => door.oracle.calls().some(({ params }) => params?.name === 'slow'));
  const at = Date.now();
  const { out } = await door.cli(['sessions', 'end', id, '--reason', 'drill', '-o', 'json']);
  const answer = await waiting;
  assert.ok(Date.now() - at < 2000, `took ${Date.now() - at} ms`);
  assert.equal(answer.message.error.code, 40302, answer.body);
  assert.match(out, new RegExp(`end-${id}`));
  assert.equal((await mcp.call('tools/list')).status, 404);
  assert.equal((await ended(id)).endReason, 'revoked');
  await recorded(id);
  const again = await door.session('oracle', token).then(() => undefined, (error) => error);
  assert.equal(again.message && JSON.parse(again.body).error.data.reason, 'locked');
  assert.equal((await door.cli(['delete', 'lock', `end-${id}`])).code, 0);
  await (await door.session('oracle', token)).end();
});

test('the kill switch ends every session and an unlock opens the door again', async () => {
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  await door.apply('kind: Lock\nname: kill-switch\nspec: {}\n', 'lock.yaml');
  assert.equal((await ended(id)).endReason, 'revoked');
  assert.equal((await mcp.call('tools/list')).status, 404);
  await door.cli(['delete', 'lock', 'kill-switch']);
  await (await door.session('oracle', token)).end();
});

test('a session expires, counted from its activation, and the next call says why', async () => {
  await door.apply(allowAll('all', '{max_duration: 3s}'));
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  assert.equal((await ended(id)).endReason, 'expired');
  const late = await mcp.call('tools/call', { name: 'echo', arguments: { message: 'late' } });
  assert.equal(late.status, 404);
  assert.equal(JSON.parse(late.body).reason, 'session_ended');
  assert.ok(!door.oracle.calls().some(({ params }) => params?.arguments?.message === 'late'));
  await recorded(id);
});

test('an idle session expires', async () => {
  await door.apply(allowAll('all', '{max_duration: 10m, idle_timeout: 2s}'));
  await door.session('oracle', token);
  const { id } = await latest();
  const session = await ended(id);
  assert.equal(session.endReason, 'expired');
});

test('a client whose last stream has closed is disconnected after the grace', async () => {
  await door.apply(allowAll('all', '{max_duration: 10m, disconnect_grace: 1s}'));
  const mcp = await door.session('oracle', token);
  const { id } = await latest();
  const stream = new AbortController();
  const response = await fetch(door.url('oracle'), { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, ...mcp.headers }, signal: stream.signal });
  assert.equal(response.status, 200);
  stream.abort();
  assert.equal((await ended(id)).endReason, 'disconnected');
});

test('max_calls: 1 is one operation', async () => {
  await door.apply(allowAll('all', '{max_duration: 10m, max_calls: 1}'));
  const fresh = await door.token('second-bot');  // the other bot's calls of this window count
  const mcp = await door.session('oracle', fresh);
  const { id } = await latest();
  assert.ok((await mcp.call('tools/list')).message.result);
  assert.ok((await mcp.call('tools/call', { name: 'echo', arguments: { message: 'one' } })).message.result);
  const session = await ended(id);
  assert.equal(session.endReason, 'completed');
  door.oracle.forget();
  await mcp.call('tools/call', { name: 'echo', arguments: { message: 'two' } });
  const reopened = await door.session('oracle', fresh).then(async (next) => next.call('tools/call', { name: 'echo', arguments: { message: 'three' } }), (error) => error);
  assert.ok(!reopened.message?.result, 'a new session inside the window has no budget of its own');
  assert.deepEqual(door.oracle.calls().map(({ params }) => params?.arguments?.message).filter(Boolean), []);
});

test('open: request tells the client what to do, and a request opens the session', async () => {
  await door.apply(allowAll('all', '{open: request, max_duration: 11m}'));
  const second = await door.token('second-bot');
  const refused = await door.session('oracle', second).then(() => undefined, (error) => error);
  const { error } = JSON.parse(refused.body);
  assert.equal(error.code, 40304);
  assert.match(error.message, /sallyport request oracle/);
  const { code } = await door.cli(['request', 'oracle', '--reason', 'test'], { token: second });
  assert.equal(code, 0);
  await (await door.session('oracle', second)).end();
});

test('a request longer than the policy allows is clamped, and said', async () => {
  const second = await door.token('second-bot');
  await until('none of it is open', async () =>
    (await door.json(['sessions', 'list'])).items.every(({ state, principal }) => state !== 'active' || principal.clientId !== 'second-bot'));
  const { code, out, err } = await door.cli(['request', 'oracle', '--duration', '5h'], { token: second });
  assert.equal(code, 0, err);
  assert.match(out + err, /clamp|11m/);
});
