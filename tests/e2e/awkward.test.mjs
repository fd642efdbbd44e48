// Servers over HTTP that flood, stop half-way, say what no reader should take, or die: the caller gets one clear answer and no byte of
// it, and the next call goes on.
import { after, afterEach, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { Deployment, allowAll } from './deployment.mjs';
import { RawServer, streams } from './raw_server.mjs';

let door, token, raw;
before(async () => {
  raw = await RawServer.start();
  door = await Deployment.start({ policy: allowAll('all'), moreServers: { raw: raw.url } });
  token = await door.token();
});
after(async () => { await door?.close(); raw?.close(); });

const echo = { name: 'echo', arguments: {}, _meta: { progressToken: 'p' } };
const answers = (say) => { raw.answer = (message, response, request) => (message.method === 'tools/call' ? say(message, response, request) : false); };

// Whatever it was, the agent is the same and its server may be used.
afterEach(async () => {
  raw.answer = raw.listen = undefined;
  const mcp = await door.session('raw', token);
  const { body } = await mcp.call('tools/call', echo);
  assert.match(body, /"content":\[\]/);
  await mcp.end();
  assert.equal(door.agent.log.filter((line) => line.includes('"event":"ready"')).length, 1);
});

const head = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n';
const stream = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const whole = (body) => `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const leak = (id, more) => `{"jsonrpc":"2.0","id":${id},"result":{"content":[{"type":"text","text":"LEAK"}]${more}}}`;
const spoilt = {
  'a number of 10,000 digits': (id) => whole(leak(id, `,"n":${'9'.repeat(10000)}`)),
  'an exponent of 10,000 digits': (id) => whole(leak(id, `,"n":1e${'9'.repeat(10000)}`)),
  'arrays nested 100,000 deep': (id) => whole(leak(id, `,"n":${'['.repeat(100000)}${']'.repeat(100000)}`)),
  'a lone surrogate': (id) => whole(leak(id, ',"n":"\\ud800"')),
  'a NUL in a string': (id) => whole(leak(id, ',"n":"\0"')),
  'two answers in one body': (id) => whole(leak(id, '') + leak(id, '')),
  'more than it announced': (id) => `${head}Content-Length: 20\r\n\r\n${leak(id, '')}`,
  'less than it announced, and its end': (id) => `${head}Content-Length: 5000\r\n\r\n${leak(id, '')}`,
  'a chunk of no size': (id) => `${head}Transfer-Encoding: chunked\r\n\r\nzz\r\n${leak(id, '')}\r\n0\r\n\r\n`,
  'a chunk of more than any size': (id) => `${head}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n${leak(id, '')}`,
  'two lengths': (id) => `${head}Content-Length: ${leak(id, '').length}\r\nContent-Length: 5\r\n\r\n${leak(id, '')}`,
  'a header of a megabyte': (id) => `${head}X-Long: ${'x'.repeat(1 << 20)}\r\n${whole(leak(id, '')).slice(head.length)}`,
  'ten thousand headers': (id) => `${head}${'X-Many: x\r\n'.repeat(10000)}${whole(leak(id, '')).slice(head.length)}`,
  'half an event, and its end': (id) => `${stream}${chunk(`data: ${leak(id, '').slice(0, 60)}`)}`,
  'an event that is cut in a chunk': (id) => `${stream}${(1000).toString(16)}\r\ndata: ${leak(id, '')}`,
  'an event that is no message': (id) => `${stream}${chunk(`data: {"jsonrpc":"2.0","id":${id},"LEAK":1}\n\n`)}0\r\n\r\n`,
  'a stream without an answer': () => `${stream}${chunk(': LEAK\n\n')}0\r\n\r\n`,
};
for (const [what, bytes] of Object.entries(spoilt)) {
  test(`a server that says ${what}`, async () => {
    const mcp = await door.session('raw', token);
    answers(({ id }, _, request) => { request.socket.end(bytes(JSON.stringify(id))); });
    const { message, body } = await mcp.call('tools/call', echo);
    assert.equal(message?.result?.isError, true, body);
    assert.match(message.result._meta.reason, /^upstream_(invalid|lost)$/);
    assert.ok(!body.includes('LEAK'), body);
    assert.equal(body.match(/"id":/g).length, 1, 'one answer');
    await mcp.end();
  });
}

test('a server that says 20,000 things before its answer: all of them arrive, in order, and nobody else waits', async () => {
  const [mcp, other] = [await door.session('raw', token), await door.session('oracle', token)];
  answers(({ id }, response) => {
    streams(response, Array.from({ length: 20000 }, (_, progress) => ({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress } })));
    response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })}\n\n`);
  });
  const flooded = mcp.call('tools/call', echo);
  let isOver = false;
  void flooded.then(() => { isOver = true; });
  let slowest = 0;
  while (!isOver) {
    const at = Date.now();
    await other.call('ping');
    slowest = Math.max(slowest, Date.now() - at);
  }
  const seen = [...(await flooded).body.matchAll(/"progress":(\d+)/g)].map(([, n]) => Number(n));
  assert.deepEqual(seen, Array.from({ length: 20000 }, (_, i) => i));
  assert.ok(slowest < 5000, `another's ping took ${slowest} ms`);
  await Promise.all([mcp.end(), other.end()]);
});

test('a server whose own stream says 20,000 things that no client reads: its calls are answered', async () => {
  const news = { jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(1000) } };
  raw.listen = (response) => streams(response, Array(20000).fill(news));
  const mcp = await door.session('raw', token);
  for (let i = 0; i < 20; ++i) assert.match((await mcp.call('tools/call', echo)).body, /"content":\[\]/);
  await mcp.end();
});

test('a server that dies in the midst of a flood: what came is there, and then the reason', async () => {
  const mcp = await door.session('raw', token);
  answers((_, response, request) => {
    streams(response, Array.from({ length: 100 }, (__, progress) => ({ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 'p', progress } })));
    response.write('data: {"jsonrpc":"2.0","id"', () => request.socket.destroy());
  });
  const { message, body } = await mcp.call('tools/call', echo);
  assert.equal(body.match(/"progress":/g).length, 100);
  assert.equal(message.result._meta.reason, 'upstream_lost');
  await mcp.end();
});
