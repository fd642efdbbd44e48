// What the official clients are told when their server has forgotten its MCP sessions, as one that was replaced has: the call in which
// it is found out says so, the next one is HTTP 404, and connecting again goes on in the same just-in-time session.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Transport1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Client as Client2, StreamableHTTPClientTransport as Transport2 } from '@modelcontextprotocol/client';
import { Deployment, allowAll } from './deployment.mjs';

let door;
before(async () => { door = await Deployment.start({ policy: allowAll('open') }); });
after(() => door?.close());

const info = { name: 'e2e', version: '1.0.0' };
const generations = [
  { name: '1.x', bot: 'deploy-bot', make: () => new Client1(info), Transport: Transport1 },
  { name: '2.x', bot: 'second-bot', make: () => new Client2(info), Transport: Transport2 },
];

for (const { name, bot, make, Transport } of generations) {
  test(`${name}: a server that has forgotten the MCP session`, async () => {
    const token = await door.token(bot);
    const connect = async () => {
      const client = make();
      await client.connect(new Transport(new URL(door.url('oracle')), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
      return client;
    };
    const echo = (client, message) => client.callTool({ name: 'echo', arguments: { message } });
    const sessions = async () => (await door.json(['sessions', 'list'])).items.filter(({ principal }) => principal.clientId === bot);
    const client = await connect();
    assert.equal((await echo(client, 'before')).content[0].text, 'Echo: before');

    door.oracle.misbehave = (_, request, response) => response.writeHead(404).end();
    door.oracle.forget();
    const met = await echo(client, 'met');
    assert.equal(met.isError, true);
    assert.match(met.content[0].text, /HTTP 404: it has ended the MCP session, and its client must initialize another/);
    door.oracle.misbehave = undefined;
    const late = await echo(client, 'late').then(() => assert.fail('it went through'), (error) => error);
    assert.match(late.message, /the session has ended: its server was lost; initialize again/);
    assert.equal(door.oracle.calls().filter(({ method }) => method === 'tools/call').length, 1, 'nothing is sent twice');

    const again = await connect();
    assert.equal((await echo(again, 'after')).content[0].text, 'Echo: after');
    assert.equal((await sessions()).length, 1);
    await again.close();
    await client.close().catch(() => {});
  });
}
