// What is left of a deployment that has lost some of its data, and the ways out that README names.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { cpSync, readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
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
  assert.ok(!door.agent.log.some((line) => /recording_set_aside|records_not_taken/.test(line)), door.agent.log.join('\n'));
});

// A refusal without a session, which is in the agent's own recording.
const deny = () => door.post('oracle', { jsonrpc: '2.0', id: 0, method: 'initialize', params: {} }, { token: 'none' });
const logged = (event) => door.agent.log.filter((line) => line.includes(`"${event}"`)).map((line) => JSON.parse(line));
const setAside = () => { try { return readdirSync(join(door.agent.dataDir, 'set-aside')).sort(); } catch { return []; } };
const metric = async (name) => {
  const response = await fetch(`http://${door.agent.ready.listen.local}/metrics`);
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await response.text())[1]);
};
const isShipped = () => until('all is shipped', async () => await metric('sallyport_agent_spool_bytes') === 0);

test('a control plane of an older backup refuses what does not fit: that is set aside, and all else goes on', async () => {
  const { dataDir } = door.controlPlane;
  const open = async (bot, server, as) => {
    const known = (await of(bot)).map(({ id }) => id);
    const mcp = await door.session(server, as);
    return { mcp, id: (await of(bot)).find(({ id }) => !known.includes(id)).id };
  };
  const goesOn = await open('second-bot', 'oracle', other);
  const longer = await open('deploy-bot', 'everything', token);
  for (const { mcp } of [goesOn, longer]) await echo(mcp);
  assert.equal((await deny()).status, 401);
  await isShipped();
  await door.stage.stop(door.controlPlane);
  cpSync(dataDir, `${dataDir}.backup`, { recursive: true });
  door.controlPlane = await door.stage.restart(door.controlPlane);
  // Of which the backup knows nothing.
  const unknown = await open('second-bot', 'everything', other);
  for (const { mcp } of [longer, unknown]) await echo(mcp);
  assert.equal((await deny()).status, 401);
  await isShipped();
  await door.stage.stop(door.controlPlane);
  rmSync(dataDir, { recursive: true });
  renameSync(`${dataDir}.backup`, dataDir);
  assert.equal((await deny()).status, 401);
  await echo(longer.mcp);
  door.controlPlane = await door.stage.restart(door.controlPlane);

  const refused = await until('what does not fit is refused', () => logged('recording_set_aside').length === 3 && logged('recording_set_aside'));
  const own = refused.map(({ recording }) => recording).find((recording) => recording.startsWith('agent:agent-a:'));
  assert.deepEqual(refused.map(({ recording }) => recording).sort(), [own, longer.id, unknown.id].sort());
  for (const { recording, error, file } of refused) {
    assert.match(error.message, recording === unknown.id ? /no recording of this agent's/ : /leaves a gap after/);
    assert.equal(file, join(door.agent.dataDir, 'set-aside', `${recording}.jsonl`));
  }
  await isShipped();
  assert.deepEqual(setAside(), refused.map(({ recording }) => `${recording}.jsonl`).sort());
  const bodies = readFileSync(join(door.agent.dataDir, 'set-aside', `${longer.id}.jsonl`), 'utf8').trim().split('\n').map(JSON.parse);
  assert.ok(bodies.some(({ body }) => body?.includes('Echo: x')), JSON.stringify(bodies));

  // The session is over, here and there, and the next one is as any other.
  const late = await longer.mcp.call('tools/call', { name: 'echo', arguments: { message: 'x' } });
  assert.equal(late.status, 404);
  assert.match(late.body, /the control plane does not take what is recorded of the session/);
  const ended = await until('it has ended at the control plane', async () => {
    const session = await door.json(['sessions', 'show', longer.id]);
    return session.state === 'ended' && session;
  });
  assert.match(ended.detail, /does not fit/);
  assert.equal((await door.cli(['sessions', 'verify', longer.id])).code, 1);
  await echo(await door.session('everything', token));
  // The others have noticed nothing.
  await echo(goesOn.mcp);
  await goesOn.mcp.end();
  await until('it is whole', () => door.isWhole(goesOn.id));
  assert.equal((await deny()).status, 401);
  await isShipped();
  const [{ recording: next }] = logged('denials_begun_anew');
  assert.equal(JSON.parse((await door.cli(['sessions', 'verify', next, '-o', 'json'])).out).valid, true);
  assert.match(await readiness(), /^200 .*refused for good: 3;.*recording_set_aside/);
  assert.equal(await metric('sallyport_agent_recordings_set_aside'), 3);
  assert.deepEqual(logged('records_not_taken'), []);

  // It stays so, until somebody has dealt with the files; and nothing comes after them.
  await door.stage.stop(door.agent, 'SIGKILL');
  door.agent = await door.stage.restart(door.agent);
  assert.match(await readiness(), /^200 .*refused for good: 3;/);
  renameSync(join(door.agent.dataDir, 'set-aside'), `${door.agent.dataDir}.dealt-with`);
  assert.equal(await readiness(), '200 {"status":"ready"}');
  await door.stage.stop(door.agent);
  door.agent = await door.stage.restart(door.agent);
  await isRecorded();
  await isShipped();
  assert.deepEqual([await readiness(), setAside(), logged('recording_set_aside')], ['200 {"status":"ready"}', [], []]);
});

test('a control plane that can write nothing is not ready, and says why until it can', async () => {
  const ready = async () => {
    const response = await fetch(`http://${door.controlPlane.ready.listen.local}/readyz`);
    return `${response.status} ${await response.text()}`;
  };
  assert.equal(await ready(), '200 {"status":"ready"}');
  const holder = new DatabaseSync(join(door.controlPlane.dataDir, 'control.db'));
  try {
    holder.exec('begin immediate');
    assert.notEqual((await door.cli(['apply', '-f', door.stage.write('held.yaml', allowAll('held'))])).code, 0);
    await until('it is not ready', async () => /^503 .*nothing can be written to .*control\.db/.test(await ready()));
  } finally {
    holder.close();
  }
  await until('it is ready', async () => (await ready()) === '200 {"status":"ready"}');
  assert.equal((await door.cli(['apply', '-f', door.stage.write('held.yaml', allowAll('held')), '--dry-run'])).code, 0);
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

test('two agents with one data_dir and its copy are said to be two', async () => {
  const agent = await door.addAgent('agent-b');
  await door.stage.stop(agent);
  const dataDir = `${agent.dataDir}-copy`;
  cpSync(agent.dataDir, dataDir, { recursive: true });
  const file = door.stage.write('agent-b-copy.yaml', readFileSync(agent.file, 'utf8').replace(`data_dir: ${agent.dataDir}\n`, `data_dir: ${dataDir}\n`));
  const listed = async () => (await door.json(['agents', 'list'])).items.find(({ name }) => name === 'agent-b');
  const first = await door.stage.restart(agent);
  assert.equal((await listed()).copySeenAt, undefined, 'an agent that was started again is no second one');
  const copy = await door.stage.restart({ ...agent, name: 'agent agent-b-copy', file, dataDir });
  await until('they are seen to be two', async () => (await listed()).copySeenAt);
  const seen = door.controlPlane.log.filter((line) => line.includes('"agent_copy_seen"')).map((line) => JSON.parse(line));
  assert.deepEqual(seen.map(({ level, agent: name, addresses }) => [level, name, addresses]), [['error', 'agent-b', '127.0.0.1 127.0.0.1']]);
  assert.match((await door.cli(['agents', 'list'])).out, /TWO OF IT SEEN/);
  for (const process of [first, copy]) await door.stage.stop(process);
});
