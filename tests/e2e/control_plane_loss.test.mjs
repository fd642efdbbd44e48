// What goes on, and what ends, when the control plane falls silent or either side is killed.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Deployment, until } from './deployment.mjs';

const policy = (name, bot, session) => `kind: Policy
name: ${name}
spec:
  principals: [{realm: demo, client_ids: [${bot}]}]
  servers: ["*"]
  session: ${session}
  rules: [{allow: {tools: ["*"]}}]
`;

let door, strict, steady;
before(async () => {
  door = await Deployment.start({ policy: policy('strict', 'deploy-bot', '{on_control_plane_loss: strict, lease: 8s}') });
  await door.apply(policy('continuity', 'second-bot', '{on_control_plane_loss: continuity}'), 'continuity.yaml');
  await door.keepPort();
  [strict, steady] = [await door.token(), await door.token('second-bot')];
});
after(() => door?.close());

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const echo = (mcp, message) => mcp.call('tools/call', { name: 'echo', arguments: { message } });
const show = (id) => door.json(['sessions', 'show', id]);
const open = async (as, server = 'oracle') => ({ mcp: await door.session(server, as), ...(await door.json(['sessions', 'list'])).items[0] });

test('calls that the control plane has not heard of when their agent is killed count all the same', async () => {
  await door.apply(policy('continuity', 'second-bot', '{max_calls: 3}'), 'continuity.yaml');
  const { mcp, id } = await open(steady, 'everything');
  door.controlPlane.child.kill('SIGSTOP');
  for (const word of ['one', 'two']) assert.ok((await echo(mcp, word)).message.result);
  await door.stage.stop(door.agent, 'SIGKILL');
  door.controlPlane.child.kill('SIGCONT');
  door.agent = await door.stage.restart(door.agent);
  const next = await until('the session is confirmed', () => door.session('everything', steady).catch(() => undefined));
  assert.equal((await door.json(['sessions', 'list'])).items[0].id, id);
  assert.ok((await echo(next, 'three')).message.result);
  assert.ok(!(await echo(next, 'four')).message?.result);
  await door.apply(policy('continuity', 'second-bot', '{on_control_plane_loss: continuity}'), 'continuity.yaml');
});

test('a strict session ends when the control plane has been silent for the lease, one of continuity goes on', async () => {
  const one = await open(strict), other = await open(steady, 'everything');
  assert.deepEqual([one.principal.clientId, other.principal.clientId], ['deploy-bot', 'second-bot']);
  await pause(10000);
  assert.ok((await echo(one.mcp, 'heard')).message.result, 'a lease is renewed while the control plane speaks');
  const running = one.mcp.call('tools/call', { name: 'slow', arguments: { ms: 30000 } });
  await until('the call is with the server', () => door.oracle.calls().some(({ params }) => params?.name === 'slow'));

  door.controlPlane.child.kill('SIGSTOP');
  const at = Date.now();
  const answer = await running;
  const silent = Date.now() - at;
  assert.equal(answer.message.error.code, 40302, answer.body);
  assert.match(answer.message.error.message, /silent for 8s/);
  assert.equal(answer.message.error.data.reason, 'snapshot_stale');
  assert.ok(silent < 9000, `it took ${silent} ms`);
  const late = await echo(one.mcp, 'late');
  assert.equal(late.status, 404);
  assert.equal(JSON.parse(late.body).reason, 'snapshot_stale');
  assert.ok((await echo(other.mcp, 'on')).message.result);
  const refused = await door.session('oracle', strict).then(() => undefined, ({ body }) => JSON.parse(body).error.data.reason);
  assert.equal(refused, 'control_plane_unavailable');

  door.controlPlane.child.kill('SIGCONT');
  const ended = await until('the control plane knows', async () => {
    const session = await show(one.id);
    return session.state === 'ended' && session;
  }, { tries: 300 });
  assert.equal(ended.endReason, 'revoked');
  assert.match(ended.detail, /silent for 8s/);
  assert.equal((await show(other.id)).state, 'active');
  const again = await until('the door opens again', () => door.session('oracle', strict).catch(() => undefined));
  await again.end();
  await other.mcp.end();
});

test('a control plane that is killed and comes back within the lease ends nothing, and is heard at once', async () => {
  await door.apply(policy('strict', 'deploy-bot', '{on_control_plane_loss: strict}'));
  const { mcp, id } = await open(strict);
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  assert.ok((await echo(mcp, 'alone')).message.result);
  door.controlPlane = await door.stage.restart(door.controlPlane);
  await until('the agent is connected', async () => (await door.json(['agents', 'list'])).items[0].connected);
  await pause(11000);
  assert.ok((await echo(mcp, 'together')).message.result);
  assert.equal((await show(id)).state, 'active');
  assert.equal((await door.cli(['sessions', 'end', id, '--no-lock'])).code, 0);
  await until('the session is cut', async () => (await echo(mcp, 'cut')).status === 404);
});

test('a strict session opens as soon as the control plane is back from a silence longer than the lease', async () => {
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  await pause(14000);
  door.controlPlane = await door.stage.restart(door.controlPlane);
  const { mcp, id } = await open(strict);
  assert.ok((await echo(mcp, 'at once')).message.result);
  assert.equal((await show(id)).state, 'active');
  await mcp.end();
});

test('an agent that is killed serves its session again once it is confirmed, with the calls that were counted', async () => {
  await door.apply(policy('continuity', 'second-bot', '{max_duration: 20m, max_calls: 3}'), 'continuity.yaml');
  const { mcp, id } = await open(await door.token('second-bot'));
  for (const word of ['one', 'two']) assert.ok((await echo(mcp, word)).message.result);
  await until('the calls are recorded', async () => (await show(id)).calls === 2);
  await door.stage.stop(door.agent, 'SIGKILL');
  door.agent = await door.stage.restart(door.agent);
  const gone = await echo(mcp, 'gone');
  assert.equal(gone.status, 404);
  assert.equal(JSON.parse(gone.body).reason, 'session_ended');
  const next = await until('the session is confirmed', () => door.session('oracle', steady).catch(() => undefined));
  assert.equal((await door.json(['sessions', 'list'])).items[0].id, id);
  assert.ok((await echo(next, 'three')).message.result);
  const ended = await until('the session is used up', async () => {
    const session = await show(id);
    return session.state === 'ended' && session;
  });
  assert.deepEqual([ended.endReason, ended.calls], ['completed', 3]);
  assert.ok(!(await echo(next, 'four')).message?.result);
  assert.ok(!door.oracle.calls().some(({ params }) => ['gone', 'four'].includes(params?.arguments?.message)));
  await until('its recording is whole', () => door.isWhole(id));
});

test('who waits for an approval goes on waiting over a restart of the control plane', async () => {
  const alice = await door.person('alice');
  await door.apply(policy('continuity', 'second-bot', '{open: request, approval: {approvers: ["demo:approvers"]}}'), 'continuity.yaml');
  const waiting = door.cli(['request', 'oracle', '--reason', 'a look', '--wait'], { token: await door.token('second-bot') });
  const approval = await until('it waits', async () => (await door.json(['approvals', 'list'], alice)).items[0]);
  await door.stage.stop(door.controlPlane, 'SIGKILL');
  await pause(1000);
  door.controlPlane = await door.stage.restart(door.controlPlane);
  assert.equal((await door.cli(['approvals', 'approve', approval.id], alice)).code, 0);
  const { code, out, err } = await waiting;
  assert.equal(code, 0, err);
  assert.match(out, /^ses_\S+ active until/m);
  assert.match(err, /The control plane is away: .+\nTrying again until it is back\.\nThe control plane is back\./);
});
