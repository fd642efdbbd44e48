// What the official clients are told of a session that waits, was denied, and has ended: the first generation, and the second in both
// eras of the protocol.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { Deployment, until } from './deployment.mjs';

const policy = `kind: Policy
name: guarded
spec:
  principals: [{realm: demo, client_ids: [deploy-bot]}]
  servers: [oracle, modern]
  session: {max_duration: 7s, approval: {approvers: ["demo:approvers"], expires_after: 10m}}
  rules: [{allow: {tools: ["*"]}}]
`;

let door, token, alice;
before(async () => {
  door = await Deployment.start({ policy });
  [token, alice] = [await door.token(), await door.person('alice')];
});
after(() => door?.close());

const info = { name: 'e2e', version: '1.0.0' };
const options = () => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } });
const generations = [
  { name: '1.x', server: 'oracle', connect: async () => { const client = new Client1(info); await client.connect(new Transport1(new URL(door.url('oracle')), options())); return client; } },
  { name: '2.x, legacy era', server: 'oracle', connect: () => second('oracle', 'auto', 'legacy') },
  { name: '2.x, modern era', server: 'modern', connect: () => second('modern', { pin: '2026-07-28' }, 'modern'), isModern: true },
];
async function second(server, mode, era) {
  const client = new Client2(info, { versionNegotiation: { mode } });
  await client.connect(new Transport2(new URL(door.url(server)), options()));
  assert.equal(client.getProtocolEra(), era);
  return client;
}
const failure = (promise) => promise.then(() => assert.fail('it went through'), (error) => error);
const waiting = () => until('an approval waits', async () => (await door.json(['approvals', 'list'], alice)).items.find(({ state }) => state === 'pending'));

for (const { name, server, connect, isModern } of generations) {
  test(`${name}: a session that waits, is denied, is approved, and ends in a call`, async () => {
    const at = Date.now();
    const pending = await failure(connect());
    const held = Date.now() - at;
    assert.ok(held < 9000, `it was held for ${held} ms: hosted clients give up at 10 s`);
    const approval = await waiting();
    // A client that insists on the modern era says of a refused server/discover only that it was refused.
    assert.match(pending.message, isModern ? /Version negotiation failed/ : new RegExp(`waits for approval ${approval.id} by demo:approvers until ${approval.expiresAt.slice(0, 19)}`));

    assert.equal((await door.cli(['approvals', 'deny', approval.id, '--reason', 'not today'], alice)).code, 0);
    assert.match((await failure(connect())).message, isModern ? /Version negotiation failed/ : /was denied by demo:\w+: not today; ask again with a reason: sallyport request/);

    assert.equal((await door.cli(['request', server, '--reason', 'please'], { token })).code, 0);
    assert.equal((await door.cli(['approvals', 'approve', (await waiting()).id], alice)).code, 0);
    const client = await connect();
    assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'hello' } })).content[0].text, 'Echo: hello');
    const cut = await failure(client.callTool({ name: 'slow', arguments: { ms: 30000 } }));
    assert.equal(cut.code, 40302, cut.stack);
    assert.match(cut.message, /Session ended: the grant expired at /);

    // Nothing is left of it: the legacy client's MCP session is gone, the modern one is judged from nothing.
    const late = await failure(client.callTool({ name: 'echo', arguments: { message: 'late' } }));
    assert.match(late.message, isModern ? /waits for approval/ : /the session has ended: the grant expired at .*; initialize again/);
    assert.ok(![...door.oracle.calls(), ...door.modern.calls()].some(({ params }) => params?.arguments?.message === 'late'));
    if (isModern) await door.cli(['approvals', 'deny', (await waiting()).id, '--reason', 'done'], alice);
    await client.close();
  });
}
