// The real server-everything as a child of the agent: what a client can do with it, what it cannot see, and that nothing of it stays.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Deployment, allowAll, until } from './deployment.mjs';
import * as types from '@modelcontextprotocol/sdk/types.js';

let door, token;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all') });
  token = await door.token();
});
after(() => door?.close());

test('the official client works through the door, progress and sampling included', async () => {
  const client = await door.connect('everything', token, { capabilities: { sampling: {}, roots: {} } });
  client.setRequestHandler(types.CreateMessageRequestSchema, () => ({ role: 'assistant', model: 'm', content: { type: 'text', text: 'sampled' } }));
  assert.ok((await client.listTools()).tools.length >= 10);
  assert.equal((await client.callTool({ name: 'echo', arguments: { message: 'x' } })).content[0].text, 'Echo: x');
  const progress = [];
  await client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 3 } }, undefined, { onprogress: (step) => progress.push(step.progress) });
  assert.deepEqual(progress, [1, 2, 3]);
  assert.match(JSON.stringify(await client.callTool({ name: 'trigger-sampling-request', arguments: { prompt: 'p', maxTokens: 5 } })), /sampled/);
  await client.transport.terminateSession();
  await client.close();
});

test('each MCP session has a child of its own, and it is gone when the session is', async () => {
  const one = await door.session('everything', token), two = await door.session('everything', token);
  assert.ok(door.children().length >= 2, `${door.children().length} children`);
  await one.end();
  await two.end();
  await until('no child is left', () => door.children().length === 0);
});

test('the server\'s environment holds its credential, the answer does not', async () => {
  const mcp = await door.session('everything', token);
  const { message } = await mcp.call('tools/call', { name: 'get-env', arguments: {} });
  const text = message.result.content[0].text;
  assert.match(text, /"API_TOKEN": "\[REDACTED:credential\]"/);
  assert.ok(!/SALLYPORT|SUDO|npm_/.test(text), 'the agent\'s own environment leaked');
  await mcp.end();
});

test('no child outlives the agent', async () => {
  await door.session('everything', token);
  assert.ok(door.children().length > 0);
  await door.stage.stop(door.agent, 'SIGKILL');
  await until('no child is left', () => door.children().length === 0);
  door.agent = await door.stage.restart(door.agent);
});
