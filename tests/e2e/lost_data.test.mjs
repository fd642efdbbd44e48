// What is left of a deployment that has lost some of its data, and the ways out that README names.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, renameSync, rmSync } from 'node:fs';
import { Deployment, allowAll, until } from './deployment.mjs';

let door, token, other;
before(async () => {
  door = await Deployment.start({ policy: allowAll('open') });
  [token, other] = [await door.token(), await door.token('second-bot')];
  await door.keepPort();
});
after(() => door?.close());

const echo = async (session) => assert.equal((await session.call('tools/call', { name: 'echo', arguments: { message: 'x' } })).message.result.content[0].text, 'Echo: x');
const of = async (bot) => (await door.json(['sessions', 'list'])).items.filter(({ principal }) => principal.clientId === bot);
const readiness = async () => {
  const response = await fetch(`http://${door.agent.ready.listen.local}/readyz`);
  return `${response.status} ${await response.text()}`;
};
const loses = (data) => { for (const ending of ['', '-wal', '-shm']) rmSync(data + ending, { force: true }); };

// A session of the second bot from its first call to the END record at the control plane.
async function isRecorded() {
  const known = (await of('second-bot')).map(({ id }) => id);
  const session = await door.session('oracle', other);
  await echo(session);
  await session.end();
  const [{ id }] = (await of('second-bot')).filter((one) => !known.includes(one.id));
  return until('the recording is whole', () => door.isWhole(id));
}

test('an agent that has lost its data enrolls anew: what it served has ended, what it serves is recorded', async () => {
  const before = await door.session('oracle', token);
  await echo(before);
  const [served] = await of('deploy-bot');
  await door.stage.stop(door.agent, 'SIGKILL');
  rmSync(door.agent.dataDir, { recursive: true });
  door.agent = await door.addAgent('agent-a');

  const ended = await door.json(['sessions', 'show', served.id]);
  assert.deepEqual([ended.state, ended.detail], ['ended', 'agent agent-a has enrolled anew']);
  await echo(await door.session('oracle', token));
  await isRecorded();
  assert.match(await readiness(), /^200/);
  assert.ok(!door.agent.log.some((line) => /records_refused|records_not_taken/.test(line)), door.agent.log.join('\n'));
});

test('a control plane of an older backup takes no records that do not fit: the agent says so, and enrolls anew', async () => {
  const { dataDir } = door.controlPlane;
  await door.stage.stop(door.controlPlane);
  cpSync(dataDir, `${dataDir}.backup`, { recursive: true });
  door.controlPlane = await door.stage.restart(door.controlPlane);
  await isRecorded();  // of which the backup knows nothing
  const session = await door.session('oracle', other);
  await echo(session);
  await door.stage.stop(door.controlPlane);
  rmSync(dataDir, { recursive: true });
  renameSync(`${dataDir}.backup`, dataDir);
  door.controlPlane = await door.stage.restart(door.controlPlane);

  await until('the agent is not ready', async () => (await readiness()).startsWith('503'));
  assert.match(await readiness(), /the control plane does not take this agent's records: see records_not_taken in the log/);
  assert.ok(door.agent.log.some((line) => /"records_not_taken"/.test(line)));

  await door.stage.stop(door.agent);
  renameSync(door.agent.dataDir, `${door.agent.dataDir}.aside`);
  door.agent = await door.addAgent('agent-a');
  await isRecorded();
  assert.match(await readiness(), /^200/);
});

for (const name of ['recordings.db', 'control.db']) {
  test(`a control plane without its ${name} does not start, and says what to do`, async () => {
    await door.stage.stop(door.controlPlane);
    cpSync(door.controlPlane.dataDir, `${door.controlPlane.dataDir}.${name}`, { recursive: true });
    loses(`${door.controlPlane.dataDir}/${name}`);
    await assert.rejects(door.stage.restart(door.controlPlane), new RegExp(`${name} is missing, and what else is in .* is of a deployment that had it: restore all of`));
    rmSync(door.controlPlane.dataDir, { recursive: true });
    renameSync(`${door.controlPlane.dataDir}.${name}`, door.controlPlane.dataDir);
    door.controlPlane = await door.stage.restart(door.controlPlane);
    await isRecorded();
  });
}
