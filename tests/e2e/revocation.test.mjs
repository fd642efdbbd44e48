// What ends sessions from outside: every stream and call of them, what waits for a person, and the way back in.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Deployment, allowAll, until } from './deployment.mjs';

const policy = allowAll('all', '{max_duration: 10m}', '    - require_approval: {tools: [delete_record], approvers: ["demo:approvers"]}\n');
let door, token;
before(async () => {
  door = await Deployment.start({ policy, minRefresh: '1s' });
  token = await door.token();
});
after(() => door?.close());

const sessions = async (clientId) => (await door.json(['sessions', 'list'])).items.filter(({ state, principal }) => state === 'active' && principal.clientId === clientId);
const ended = (id) => until(`session ${id} ended`, async () => {
  const session = await door.json(['sessions', 'show', id]);
  return session.state === 'ended' && session;
});
const reasonNow = (server, as, agent) => door.session(server, as, {}, agent).then(() => 'opened', ({ body }) => JSON.parse(body).error?.data?.reason ?? JSON.parse(body).reason);

// The client's GET stream: resolves once it has been closed from our side.
async function listen(server, mcp) {
  const response = await fetch(door.url(server), { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}`, ...mcp.headers } });
  assert.equal(response.status, 200);
  return { closed: response.text() };
}

test('revoking a principal cuts all it has: calls answer why, streams close, children die, approvals are taken back', async () => {
  const oracle = await door.session('oracle', token), everything = await door.session('everything', token);
  const second = await door.token('second-bot'), bystander = await door.session('oracle', second);
  const ids = (await sessions('deploy-bot')).map(({ id }) => id);
  assert.equal(ids.length, 2);
  assert.ok(door.children().length > 0);
  const { closed } = await listen('oracle', oracle);
  const running = oracle.call('tools/call', { name: 'slow', arguments: { ms: 30000 } });
  const waiting = oracle.call('tools/call', { name: 'delete_record', arguments: { id: 'r1' } });
  const approval = await until('the approval waits', async () => (await door.json(['approvals', 'list'])).items.find(({ state }) => state === 'pending'));
  await until('the call is with the server', () => door.oracle.calls().some(({ params }) => params?.name === 'slow'));

  const { out, code } = await door.cli(['sessions', 'end', '--principal', 'demo:deploy-bot', '--reason', 'its key has leaked', '-o', 'json']);
  assert.equal(code, 0);
  const revoked = JSON.parse(out);
  assert.deepEqual(revoked.sessions.map(({ id }) => id).sort(), ids.sort());
  for (const answer of [await running, await waiting]) {
    assert.equal(answer.message.error.code, 40302, answer.body);
    assert.match(answer.message.error.message, /its key has leaked/);
  }
  await closed;
  for (const id of ids) assert.equal((await ended(id)).endReason, 'revoked');
  assert.equal((await door.json(['approvals', 'show', approval.id])).state, 'withdrawn');
  await until('its server is gone', () => door.children().length === 0);
  assert.equal(door.oracle.calls().filter(({ params }) => params?.name === 'delete_record').length, 0);
  assert.equal(await reasonNow('oracle', token), 'locked');
  assert.equal(await reasonNow('everything', token), 'locked');
  assert.equal((await everything.call('tools/list')).status, 404);
  assert.ok((await bystander.call('tools/list')).message.result, 'somebody else goes on');
  await bystander.end();
  assert.equal((await door.cli(['delete', 'lock', revoked.lock])).code, 0);
  assert.equal(await reasonNow('oracle', token), 'opened');
});

test('a lock with an end opens by itself', async () => {
  const mcp = await door.session('oracle', token);
  const [{ id }] = await sessions('deploy-bot');
  assert.equal((await door.cli(['sessions', 'end', id, '--for', '2s'])).code, 0);
  await ended(id);
  assert.equal((await mcp.call('tools/list')).status, 404);
  assert.equal(await reasonNow('oracle', token), 'locked');
  await until('the door opens again', async () => (await reasonNow('oracle', token)) === 'opened');
});

test('a banned agent serves nobody, another one does, and it comes back with a new join string', async () => {
  const other = await door.addAgent('agent-b');
  const mcp = await door.session('oracle', token);
  const [session] = await sessions('deploy-bot');
  const running = mcp.call('tools/call', { name: 'slow', arguments: { ms: 30000 } });
  await until('the call is with the server', () => door.oracle.calls().filter(({ params }) => params?.name === 'slow').length > 1);
  assert.equal((await door.cli(['agents', 'ban', 'agent-a', '--reason', 'stolen disk'])).code, 0);
  const answer = await running;
  assert.equal(answer.message.error.code, 40302, answer.body);
  assert.match(answer.message.error.message, /agent-a was banned/);
  assert.equal((await ended(session.id)).endReason, 'revoked');
  assert.equal(await reasonNow('oracle', token), 'locked');
  assert.equal(await reasonNow('oracle', token, other), 'opened');
  const { items } = await door.json(['agents', 'list']);
  const { connected, banReason } = items.find(({ name }) => name === 'agent-a');
  assert.deepEqual([connected, banReason], [false, 'stolen disk']);
  const readiness = async () => {
    const response = await fetch(`http://${door.agent.ready.listen.local}/readyz`);
    return `${response.status} ${await response.text()}`;
  };
  await until('the agent says that it is not ready', async () => (await readiness()).startsWith('503'));
  assert.match(await readiness(), /the control plane refuses this agent: .*banned/);

  await door.stage.stop(door.agent);
  execFileSync('rm', ['-rf', door.agent.dataDir]);
  door.agent = await door.addAgent('agent-a');
  assert.equal(await reasonNow('oracle', token), 'opened');
  assert.match(await readiness(), /^200 /);
  await door.stage.stop(other);
});

test('an agent that is away when it is banned cuts its sessions when it hears of it', async () => {
  await door.keepPort();
  const mcp = await door.session('oracle', token);
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  assert.ok((await mcp.call('tools/list')).message.result, 'a live session needs no control plane');
  door.agent.child.kill('SIGSTOP');
  door.controlPlane = await door.stage.restart(door.controlPlane);
  const lasts = (await sessions('deploy-bot')).find(({ server }) => server === 'oracle').expiresAt;
  const { code, out, err } = await door.cli(['agents', 'ban', 'agent-a', '-o', 'json']);
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).awayAgent.name, 'agent-a');
  assert.match(err, new RegExp(`agent agent-a is away \\(last seen at .*\\): .* until ${lasts.slice(0, 19)}`));
  door.agent.child.kill('SIGCONT');
  // The end comes before the policies with its lock, which it does not wait for.
  const late = await until('the session is cut, and the lock there', async () => {
    const answer = await mcp.call('tools/list');
    return answer.status === 404 && !/once it is back/.test(answer.body) && answer;
  });
  assert.match(late.body, /this agent may serve nobody any more: ask an administrator/);
  await door.stage.stop(door.agent);
  execFileSync('rm', ['-rf', door.agent.dataDir]);
  door.agent = await door.addAgent('agent-a');
});

test('a client whose session was ended while its agent was away hears why, and what helps', async () => {
  const mcp = await door.session('oracle', token);
  const [{ id }] = (await sessions('deploy-bot')).filter(({ server }) => server === 'oracle');
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  door.agent.child.kill('SIGSTOP');
  door.controlPlane = await door.stage.restart(door.controlPlane);
  const ending = await door.cli(['sessions', 'end', id, '--reason', 'its laptop is lost']);
  assert.equal(ending.code, 0);
  assert.match(ending.err, /agent agent-a is away .*: it cuts what has ended as soon as it is back/);
  door.agent.child.kill('SIGCONT');
  const late = await until('the session is cut', async () => {
    const answer = await mcp.call('tools/list');
    return answer.status === 404 && answer;
  });
  assert.match(late.body, new RegExp(`its laptop is lost; the lock end-${id} keeps you out: ask an administrator`));
  const again = await door.cli(['sessions', 'end', id]);
  assert.doesNotMatch(again.err, /is away/, 'it has heard of it');
  assert.equal((await door.cli(['delete', 'lock', `end-${id}`])).code, 0);
});

test('an agent that is connected and does not move has not confirmed the end, and that is told', async () => {
  const mcp = await door.session('oracle', token);
  const [{ id, expiresAt }] = (await sessions('deploy-bot')).filter(({ server }) => server === 'oracle');
  door.agent.child.kill('SIGSTOP');
  const ending = await door.cli(['sessions', 'end', id, '--no-lock']);
  assert.deepEqual([ending.code, ending.out], [0, `${id} ended\n`]);
  assert.match(ending.err, new RegExp(`agent agent-a has not confirmed yet that it has cut what has ended: .* until ${expiresAt.slice(0, 19)}`));
  const { awayAgent } = await door.json(['sessions', 'end', id]);
  assert.deepEqual([awayAgent.name, awayAgent.connected], ['agent-a', true]);
  door.agent.child.kill('SIGCONT');
  await until('it has confirmed it', async () => (await door.cli(['sessions', 'end', id])).err === '');
  assert.equal((await mcp.call('tools/list')).status, 404);
});

test('a key that disappears from the issuer takes the sessions of its tokens with it', async () => {
  const mcp = await door.session('oracle', token);
  const [{ id }] = await sessions('deploy-bot');
  await fetch(`${door.issuer.url}/test/rotate`, { method: 'POST' });
  const fresh = await door.token();
  // A token of a key that nobody knows yet makes the keys be fetched; by itself that happens within a minute.
  await until('the new key is known', async () => (await reasonNow('everything', fresh)) === 'opened');
  const session = await ended(id);
  assert.equal(session.endReason, 'revoked');
  assert.match(session.detail, /issuer demo has withdrawn the key/);
  assert.equal((await mcp.call('tools/list')).status, 401, 'nor is the token one any more');
  token = fresh;
});

test('who is ended by a client id that several principals share is named', async () => {
  const mine = () => sessions('shared-app').then((all) => all.map(({ principal }) => principal.subject).sort());
  await door.apply(allowAll('shared').replace('deploy-bot, second-bot', 'shared-app'), 'shared.yaml');
  for (const sub of ['eve', 'frank', 'grace']) await door.session('oracle', await door.mint({ payload: { sub, client_id: 'shared-app' } }));
  assert.deepEqual(await mine(), ['eve', 'frank', 'grace']);
  const one = await door.cli(['sessions', 'end', '--principal', 'demo:eve', '--no-lock']);
  assert.match(one.out, /^covers service eve \(sessions: 1\)\nses_\w+ ended on oracle\n$/);
  const all = await door.cli(['sessions', 'end', '--principal', 'demo:shared-app']);
  assert.match(all.out, /^covers service frank \(sessions: 1\)\ncovers service grace \(sessions: 1\)\ncovers service eve \(sessions: 0\)\n/);
  assert.deepEqual(await mine(), []);
  const again = JSON.parse((await door.cli(['sessions', 'end', '--principal', 'demo:shared-app', '-o', 'json'])).out);
  assert.deepEqual(again.principals.map(({ subject, sessions }) => [subject, sessions ?? 0]), [['eve', 0], ['frank', 0], ['grace', 0]]);
  assert.equal((await door.cli(['delete', 'lock', again.lock])).code, 0);
});

test('from `sessions end` to the last byte that a client can get', async (t) => {
  const taken = [];
  const rounds = 100;
  for (let i = 0; i < rounds; ++i) {
    const mcp = await door.session('oracle', token);
    const { id } = (await sessions('deploy-bot')).find(({ server }) => server === 'oracle');
    const stream = await listen('oracle', mcp);
    const running = mcp.call('tools/call', { name: 'slow', arguments: { ms: 30000 } });
    await until('the call is with the server', () => door.oracle.calls().filter(({ params }) => params?.name === 'slow').length > 0, { everyMs: 5, tries: 2000 });
    door.oracle.forget();
    const at = performance.now();
    const command = door.cli(['sessions', 'end', id, '--no-lock']);
    const [answer] = await Promise.all([running, stream.closed]);
    taken.push(performance.now() - at);
    assert.equal(answer.message.error.code, 40302, answer.body);
    await command;
  }
  taken.sort((a, b) => a - b);
  const at = (share) => taken[Math.min(rounds - 1, Math.floor(rounds * share))].toFixed(0);
  t.diagnostic(`the command's own start counted: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, at most ${at(1)} ms over ${rounds} rounds`);
});
