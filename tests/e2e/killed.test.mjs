// Either side is killed at each step of an approval: what was approved is used once, or nobody knows whether it was, and then it is made
// again only when a person says so. Nothing goes out twice.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Deployment, allowAll, until } from './deployment.mjs';
import { Wire } from './wire.mjs';

const gated = `    - require_approval: {tools: [delete_record], approvers: ["demo:approvers"], expires_after: 10m}\n`;
// An agent that is told of a decision asks at once for its call to be let through. Both messages are longer than a heartbeat; records
// that are shipped in that moment may be taken for the second.
const DECISION = { told: 350, said: 300 };

let door, wire, token, alice, dora;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all', '{max_duration: 1h}', gated), agentConfig: 'limits: {approval_hold_seconds: 40}' });
  await door.keepPort();
  const port = door.controlPlane.api;
  wire = await Wire.start(() => port);
  await door.stage.stop(door.agent);
  const { joinToken } = await door.json(['agents', 'token', 'create', '--name', 'agent-b', '--servers', 'oracle,modern,everything']);
  door.agent = await door.stage.agent('agent-b', door.agentConfig, joinToken.replace(port, wire.address));
  [token, alice, dora] = [await door.token(), await door.person('alice'), await door.person('dora')];
});
afterEach(() => {
  wire.cut();
  door.oracle.misbehave = undefined;
});
after(async () => {
  await door?.close();
  wire?.close();
});

const pending = (id) => until(`call ${id} waits for approval`, async () => (await door.json(['approvals', 'list'], alice)).items.find(({ state, arguments: text }) => state === 'pending' && JSON.parse(text).id === id));
const show = (approval) => door.json(['approvals', 'show', approval.id], alice);
const approve = async (approval) => { const { code, err } = await door.cli(['approvals', 'approve', approval.id], alice); assert.equal(code, 0, err); };
const forwarded = (id) => door.oracle.calls().filter(({ params }) => params?.arguments?.id === id).length;
const open = () => until('the door opens', () => door.session('oracle', token).catch(() => undefined), { tries: 300 });
const erase = (mcp, id) => mcp.call('tools/call', { name: 'delete_record', arguments: { id } }).catch((error) => error);
const isDone = (answer, id) => answer.message?.result?.content?.[0]?.text === `deleted ${id}`;

// The server takes the call and says nothing until `say` is called.
function silence() {
  let say;
  const said = new Promise((done) => { say = done; });
  door.oracle.misbehave = async ({ id, params }, _, response) => {
    await said;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [{ type: 'text', text: `deleted ${params.arguments.id}` }] } }));
  };
  return () => { door.oracle.misbehave = undefined; say(); };
}

// Each takes a call to its step: {id, approval, waiting: the answer to the call, say: lets the server answer}.
const steps = {
  'asked for': async (mcp, id) => {
    const waiting = erase(mcp, id);
    return { id, waiting, approval: await pending(id) };
  },
  'shown to its approver': async (mcp, id) => {
    const asked = await steps['asked for'](mcp, id);
    assert.deepEqual(JSON.parse((await show(asked.approval)).arguments), { id });
    return asked;
  },
  'given, and its agent not told': async (mcp, id) => {
    const asked = await steps['asked for'](mcp, id);
    wire.holdAnswers();
    await approve(asked.approval);
    return asked;
  },
  'told, and not used': async (mcp, id) => {
    const gone = new AbortController();
    const waiting = fetch(door.url('oracle'), {
      method: 'POST', signal: gone.signal,
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}`, ...mcp.headers },
      body: JSON.stringify({ jsonrpc: '2.0', id: 'gone', method: 'tools/call', params: { name: 'delete_record', arguments: { id } } }),
    }).catch((error) => error);
    const approval = await pending(id);
    gone.abort();
    const before = wire.delivered;
    await approve(approval);
    await until('its agent is told', () => wire.delivered > before + 200);
    return { id, waiting, approval };
  },
  'used, and its call not forwarded': async (mcp, id) => {
    for (let tries = 0; tries < 5; ++tries) {
      const asked = await steps['asked for'](mcp, id);
      wire.holdAnswersAfter(DECISION);
      await approve(asked.approval);
      const isUsed = () => until('it is used', async () => (await show(asked.approval)).state === 'consumed', { tries: 20 }).catch(() => false);
      if (await isUsed() && forwarded(id) === 0) return asked;
      wire.cut();
      await asked.waiting;
      id += 1000;
    }
    assert.fail('a reservation was never met on its way');
  },
  'used, and its call not answered': async (mcp, id) => {
    const say = silence();
    const asked = await steps['asked for'](mcp, id);
    await approve(asked.approval);
    await until('its call is with the server', () => forwarded(id) === 1);
    return { ...asked, say };
  },
  'used, and its call answered, and that not told': async (mcp, id) => {
    const { say, ...asked } = await steps['used, and its call not answered'](mcp, id);
    wire.holdRequests();
    say();
    assert.ok(isDone(await asked.waiting, id));
    return asked;
  },
};
// What must have been forwarded when the step is reached, and whether an agent that is killed there leaves the outcome unknown.
const expected = {
  'used, and its call not forwarded': { isInDoubt: true },
  'used, and its call not answered': { sent: 1, isInDoubt: true },
  'used, and its call answered, and that not told': { sent: 1 },
};

async function restart(side) {
  await door.stage.stop(door[side], 'SIGKILL');
  wire.cut();
  door[side] = await door.stage.restart(door[side]);
}

// The identical call again, approved where a person is asked: it is done, and says which approval asked.
async function again(id) {
  const repeated = erase(await open(), id);
  const approval = await pending(id);
  await approve(approval);
  assert.ok(isDone(await repeated, id), JSON.stringify(await repeated));
  return show(approval);
}

let next = 0;
for (const step of Object.keys(steps)) {
  const { sent = 0, isInDoubt = false } = expected[step] ?? {};
  test(`the agent is killed when an approval is ${step}`, async () => {
    const { id, approval, waiting, say } = await steps[step](await open(), ++next);
    assert.equal(forwarded(id), sent);
    const { state } = await show(approval);
    await restart('agent');
    say?.();
    await waiting;
    if (state === 'pending' || state === 'approved') {
      // The very approval passes the identical call, once.
      const repeated = erase(await open(), id);
      if (state === 'pending') {
        assert.equal((await pending(id)).id, approval.id);
        await approve(approval);
      }
      assert.ok(isDone(await repeated, id), JSON.stringify(await repeated));
      assert.equal(forwarded(id), 1);
    } else if (isInDoubt) {
      await until('it is known to be in doubt', async () => (await door.json(['sessions', 'show', approval.sessionId])).unsettledCalls?.some((call) => call.approvalId === approval.id));
    }
    assert.equal((await show(approval)).state, 'consumed');
    // Another one takes another approval, which says what is repeated.
    const before = forwarded(id);
    const repeats = (await again(id)).repeats ?? [];
    assert.deepEqual(repeats.map((call) => call.approvalId), isInDoubt ? [approval.id] : []);
    assert.equal(forwarded(id), before + 1);
  });

  test(`the control plane is killed when an approval is ${step}`, async () => {
    const { id, approval, waiting, say } = await steps[step](await open(), ++next);
    assert.equal(forwarded(id), sent);
    const { state } = await show(approval);
    await restart('controlPlane');
    say?.();
    await until('the agent is connected', async () => (await door.json(['agents', 'list'])).items.find(({ name }) => name === 'agent-b').connected, { tries: 300 });
    if (state === 'pending') await approve(approval);
    let answer = await waiting;
    // Nothing runs for a client that has gone: it comes again.
    if (step === 'told, and not used') answer = await erase(await open(), id);
    // One whose reservation has got no answer may be refused, and is not sent then.
    const isSent = step !== 'used, and its call not forwarded' || isDone(answer, id);
    assert.equal(isDone(answer, id), isSent, JSON.stringify(answer));
    assert.equal(forwarded(id), isSent ? 1 : 0);
    assert.equal((await show(approval)).state, 'consumed');
    assert.deepEqual((await again(id)).repeats ?? [], []);
    assert.equal(forwarded(id), isSent ? 2 : 1);
  });
}

test('what was recorded of it all is whole', async () => {
  const { items } = await door.json(['sessions', 'list']);
  for (const { id } of items) await door.cli(['sessions', 'end', id, '--no-lock']);
  for (const { id } of items) {
    await until(`the recording of ${id} is whole`, () => door.isWhole(id), { tries: 300 });
    const { out } = await door.cli(['sessions', 'replay', id, '-o', 'json'], dora);
    assert.ok(out.includes('delete_record'));
  }
});
