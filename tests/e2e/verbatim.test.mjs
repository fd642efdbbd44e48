// What passes through the door passes byte for byte, and what HTTP carries beside it is as MCP asks.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { Deployment, allowAll, until } from './deployment.mjs';
import { RawServer, streams } from './raw_server.mjs';

let door, token, raw, mcp;
before(async () => {
  raw = await RawServer.start();
  door = await Deployment.start({ policy: allowAll('all'), moreServers: { raw: raw.url } });
  token = await door.token();
  mcp = await door.session('raw', token, { elicitation: {} });
});
after(async () => { await door?.close(); raw?.close(); });

const odd = '{ "big":12345678901234567890, "tiny":5e-324,"minus":-0.0,"list":[1.0,1e2,{}], "no\\u0069se":"\\u00fc\\/ü" }';
const call = (id, more = '') => `{ "jsonrpc":"2.0",\n  "id":${id}, "method":"tools/call",\n\t"params":{ "name":"echo", "arguments":${odd}, "vendorMember":[null],
  "_meta":{"progressToken":0,"vendor/key":${odd},"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"${more}} } }`;
const result = (id, more = '') => `{"jsonrpc":"2.0" , "result":{"content":[],"structuredContent":${odd},"_meta":{"vendor/x":${odd}},"extra":null${more}},"id":${id}}`;
const says = (body) => { raw.answer = ({ method }, response) => method === 'tools/call' && response.writeHead(200, { 'content-type': 'application/json' }).end(body); };

for (const id of ['7', '"7"', '"ü"', '0', '9007199254740993']) {
  test(`a call and its result pass as they are, under the id ${id}`, async () => {
    says(result(id));
    const { status, body } = await door.post('raw', call(id), { token, headers: mcp.headers });
    raw.answer = undefined;
    assert.equal(status, 200);
    assert.equal(body, result(id));
    assert.equal(raw.last('tools/call').body, call(id));
  });
}

test('so they do in the modern era', async () => {
  const envelope = ',"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{"vendor/x":{}}';
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'echo', 'mcp-session-id': 'stray', 'last-event-id': 'stray' };
  says(result('7', ',"resultType":"complete"'));
  const { status, body, headers: back } = await door.post('raw', call('7', envelope), { token, headers });
  raw.answer = undefined;
  assert.equal(status, 200, body);
  assert.equal(body, result('7', ',"resultType":"complete"'));
  assert.equal(back.get('mcp-session-id'), null);
  const sent = raw.last('tools/call');
  assert.equal(sent.body, call('7', envelope));
  assert.deepEqual([sent.headers['mcp-session-id'], sent.headers['last-event-id']], [undefined, undefined]);
});

test('a stream says that nobody may keep or gather it', async () => {
  raw.answer = ({ id, method }, response) => {
    if (method !== 'tools/call') return false;
    streams(response, [{ jsonrpc: '2.0', method: 'notifications/progress', params: { progressToken: 0, progress: 1 } }, { jsonrpc: '2.0', id, result: { content: [] } }]);
    return response.end();
  };
  const { headers, body } = await door.post('raw', call('7'), { token, headers: mcp.headers });
  raw.answer = undefined;
  assert.match(headers.get('content-type'), /^text\/event-stream/);
  assert.equal(headers.get('x-accel-buffering'), 'no');
  assert.match(headers.get('cache-control'), /no-store/);
  assert.match(body, /"progressToken":0,"progress":1/);
  assert.equal(body.match(/^data: \S/gm).length, 2, 'the progress, the answer, and then the end');
});

test('the session id is ours, of visible ASCII, and its field may be spelt in any way', async () => {
  const id = mcp.headers['mcp-session-id'];
  assert.match(id, /^[\x21-\x7e]{20,}$/);
  assert.notEqual(id, 'the-servers-own');
  assert.equal(raw.last('notifications/initialized').headers['mcp-session-id'], 'the-servers-own');
  const ping = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
  const status = (headers) => new Promise((done, failed) => {
    const sent = httpRequest(door.url('raw'), { method: 'POST', headers: { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream', Authorization: `Bearer ${token}`, ...headers } },
      (response) => response.resume().on('end', () => done(response.statusCode)));
    sent.on('error', failed).end(ping);
  });
  for (const name of ['MCP-Session-Id', 'mCP-sESSION-iD', 'mcp-session-id']) assert.equal(await status({ [name]: id }), 200, name);
  for (const version of ['2025-06-18x', '1', '2025-11-25, 2025-11-25']) assert.equal(await status({ 'Mcp-Session-Id': id, 'MCP-Protocol-Version': version }), 400, version);
});

for (const id of ['5', '"5"']) {
  test(`what the server asks under the id ${id} is answered in the client's own bytes`, async () => {
    let answered;
    raw.answer = ({ id: mine, method }, response) => {
      if (method !== 'tools/call') return false;
      answered = () => response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id: mine, result: { content: [] } })}\n\n`);
      return streams(response, [`{"jsonrpc":"2.0","id":${id},"method":"elicitation/create","params":{"message":"?","requestedSchema":{"type":"object","properties":{}},"vendor":${odd}}}`]);
    };
    const pending = door.post('raw', call('8'), { token, headers: mcp.headers });
    await until('it was asked', () => answered);
    const answer = `{"result":{"action":"accept","content":${odd}, "vendor":1.0},"jsonrpc":"2.0","id":${id}}`;
    await until('the answer is taken', async () => (await door.post('raw', answer, { token, headers: mcp.headers })).status === 202);
    answered();
    const { body } = await pending;
    raw.answer = undefined;
    assert.ok(body.includes(`"vendor":${odd}`));
    assert.equal(raw.last(undefined).body, answer);
  });
}

test('what only passes by keeps its params and its result', async () => {
  const passes = async (method, params, answer) => {
    raw.answer = ({ id, method: asked }, response) => asked === method && response.writeHead(200, { 'content-type': 'application/json' }).end(`{"jsonrpc":"2.0","id":${id},"result":${answer}}`);
    const { body } = await door.post('raw', `{"jsonrpc":"2.0","id":9,"method":"${method}","params":${params}}`, { token, headers: mcp.headers });
    raw.answer = undefined;
    assert.ok(raw.last(method).body.includes(params), method);
    assert.equal(body, `{"jsonrpc":"2.0","id":9,"result":${answer}}`);
  };
  await passes('completion/complete', '{"ref":{"type":"ref/prompt","name":"p"},"argument":{"name":"a","value":"b"},"context":{"arguments":{"c":"d"}}}', '{"completion":{"values":["x"],"hasMore":false,"vendor":1.0}}');
  await passes('logging/setLevel', '{"level":"warning"}', '{}');
  await passes('tools/list', '{"cursor":""}', '{"tools":[{"name":"other","inputSchema":{"type":"object"},"vendor":1e2}],"nextCursor":""}');
  await passes('resources/templates/list', '{"cursor":"a b/ü=="}', '{"resourceTemplates":[],"nextCursor":"n/=="}');
});

test('a task of the modern era is its principal\'s: nobody else may name it', async () => {
  const ask = (who, method, params, name) => door.post('raw', {
    jsonrpc: '2.0', id: 1, method,
    params: { ...params, _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } } } },
  }, { token: who, headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': name } });
  raw.answer = ({ id, method }, response) => /^tools\/call|^tasks\//.test(method) &&
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: method === 'tools/call' ? 'task' : 'complete', taskId: 'the-task', status: 'working' } }));
  assert.equal((await ask(token, 'tools/call', { name: 'echo', arguments: {} }, 'echo')).message.result.taskId, 'the-task');
  const other = await door.token('second-bot');
  for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel']) {
    const { message } = await ask(other, method, { taskId: 'the-task', inputResponses: {} }, 'the-task');
    assert.equal(message.error?.code, -32602, JSON.stringify(message));
    assert.equal(raw.last(method), undefined, 'it goes nowhere');
  }
  assert.equal((await ask(token, 'tasks/get', { taskId: 'the-task' }, 'the-task')).message.result.status, 'working');
  raw.answer = undefined;
});

const modernly = (method, params, capabilities, name) => [
  { jsonrpc: '2.0', id: 'm-1', method, params: { ...params, _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': capabilities } } },
  { token, headers: { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name ? { 'mcp-name': name } : {}) } },
];

test('a client is asked in no way that it has not declared', async () => {
  const params = { mode: 'url', url: 'https://example.org/', elicitationId: 'e', message: '?' };
  raw.answer = ({ id, method }, response) => {
    if (method !== 'tools/call') return false;
    streams(response, [{ jsonrpc: '2.0', id: 'by-url', method: 'elicitation/create', params }]);
    until('it was answered', () => raw.last(undefined)?.body.includes('by-url')).then(() => response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } })}\n\n`));
    return undefined;
  };
  const { body } = await door.post('raw', call('8'), { token, headers: mcp.headers });
  assert.doesNotMatch(body, /example\.org/);
  assert.equal(JSON.parse(raw.last(undefined).body).error.code, -32602);
  raw.answer = ({ id, method }, response) => method === 'tools/call' &&
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'input_required', inputRequests: { a: { method: 'elicitation/create', params } } } }));
  const ask = (elicitation) => door.post('raw', ...modernly('tools/call', { name: 'echo', arguments: {} }, { elicitation }, 'echo'));
  const refused = await ask({});
  assert.equal(refused.status, 400);
  assert.equal(refused.message.error.code, -32021);
  assert.deepEqual(refused.message.error.data, { requiredCapabilities: { elicitation: { url: {} } } });
  assert.equal((await ask({ url: {} })).message.result.resultType, 'input_required');
  raw.answer = undefined;
});

test('of a server without tasks a legacy client is told that their methods are none, as by the server itself', async () => {
  const before = raw.requests.length;
  for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/list']) {
    const { message } = await door.post('raw', { jsonrpc: '2.0', id: 3, method, params: { taskId: 't' } }, { token, headers: mcp.headers });
    assert.equal(message.error?.code, -32601, method);
  }
  assert.equal(raw.requests.length, before, 'they go nowhere');
});

test('a stream of news begins with its acknowledgement, of what was asked for, and brings what is its own', async () => {
  const news = (method, params, of) => ({ jsonrpc: '2.0', method: `notifications/${method}`, params: { ...params, ...(of ? { _meta: { 'io.modelcontextprotocol/subscriptionId': of } } : {}) } });
  raw.answer = ({ id, method }, response) => {
    if (method !== 'subscriptions/listen') return false;
    streams(response, [
      news('tools/list_changed', { mark: 'early' }, id), news('subscriptions/acknowledged', { notifications: { toolsListChanged: true, promptsListChanged: true } }, id),
      news('tools/list_changed', { mark: 'untagged' }), news('tools/list_changed', { mark: 'foreign' }, 'another'), news('tools/list_changed', { mark: 'heard' }, id),
      { jsonrpc: '2.0', id, result: { resultType: 'complete', _meta: { 'io.modelcontextprotocol/subscriptionId': id } } },
    ]);
    return response.end();
  };
  const { body } = await door.post('raw', ...modernly('subscriptions/listen', { notifications: { toolsListChanged: true } }, {}));
  raw.answer = undefined;
  const messages = body.match(/^data: .+$/gm).map((line) => JSON.parse(line.slice(6)));
  assert.deepEqual(messages.map(({ method, params }) => params?.mark ?? method), ['notifications/subscriptions/acknowledged', 'heard', undefined]);
  assert.deepEqual(messages[0].params.notifications, { toolsListChanged: true });
});
