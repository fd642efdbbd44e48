// An MCP server over streamable HTTP that remembers every request it got: the witness of what was forwarded. Its tools do what their
// name says; `misbehave` makes it break the protocol instead.
import { HttpService } from './http_service.mjs';
import { randomUUID } from 'node:crypto';

const TOOLS = {
  echo: ({ message }) => ({ content: [{ type: 'text', text: `Echo: ${message}` }] }),
  secret: () => ({ content: [{ type: 'text', text: 'key AKIAZQ3DRSTUVWXY2LMN of ada@example.com' }], structuredContent: { card: '4111111111111111', password: 'hunter2hunter2' } }),
  delete_record: ({ id }) => ({ content: [{ type: 'text', text: `deleted ${id}` }] }),
  'get-sum': ({ a, b }) => ({ content: [{ type: 'text', text: `The sum of ${a} and ${b} is ${a + b}.` }] }),
  headers: (_, request) => ({ content: [{ type: 'text', text: JSON.stringify(request.headers) }] }),
  slow: async ({ ms }) => { await new Promise((done) => setTimeout(done, ms)); return { content: [{ type: 'text', text: 'slept' }] }; },
};

export class OracleServer extends HttpService {
  // `modern`: it speaks 2026-07-28 alone.
  static async start({ modern = false } = {}) {
    const self = new OracleServer();
    self.modern = modern;
    self.requests = [];
    self.misbehave = undefined;
    return self.open();
  }

  // The calls it was asked for: [{method, params, headers}], lifecycle messages left out.
  calls() { return this.requests.filter(({ method }) => method && !/^(initialize|notifications\/)/.test(method)); }
  forget() { this.requests.length = 0; }

  async serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.method === 'GET') { response.writeHead(405).end(); return; }
    if (request.method === 'DELETE') { response.writeHead(200).end(); return; }
    const message = JSON.parse(Buffer.concat(chunks).toString());
    this.requests.push({ method: message.method, params: message.params, headers: request.headers });
    if (message.id === undefined || message.method === undefined) { response.writeHead(202).end(); return; }
    if (this.misbehave && message.method === 'tools/call') { this.misbehave(message, request, response); return; }
    const headers = { 'content-type': 'application/json' };
    if (message.method === 'initialize' && !this.modern) headers['mcp-session-id'] = randomUUID();
    const answer = await this.#answer(message, request);
    if (this.modern && answer.result) answer.result.resultType = 'complete';
    response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...answer }));
  }

  async #answer({ method, params }, request) {
    if (this.modern && method === 'initialize') return { error: { code: -32601, message: 'Method not found' } };
    if (this.modern && method === 'server/discover') {
      return { result: { supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, serverInfo: { name: 'modern oracle', version: '1' }, ttlMs: 0, cacheScope: 'private' } };
    }
    switch (method) {
      case 'initialize': return { result: { protocolVersion: params.protocolVersion, capabilities: { tools: {}, resources: {}, prompts: {}, logging: {} }, serverInfo: { name: 'oracle', version: '1' }, instructions: 'A witness.' } };
      case 'ping': return { result: {} };
      case 'tools/list': return { result: { tools: Object.keys(TOOLS).map((name) => ({ name, description: `does ${name}`, inputSchema: { type: 'object' } })), ...(this.modern ? { ttlMs: 0, cacheScope: 'private' } : {}) } };
      case 'tools/call': return TOOLS[params.name] ? { result: await TOOLS[params.name](params.arguments ?? {}, request) } : { error: { code: -32602, message: `Unknown tool: ${params.name}` } };
      case 'resources/list': return { result: { resources: [{ uri: 'file:///public/a', name: 'a' }, { uri: 'file:///private/b', name: 'b' }] } };
      case 'resources/read': return { result: { contents: [{ uri: params.uri, text: 'content' }] } };
      case 'prompts/list': return { result: { prompts: [{ name: 'greet' }, { name: 'hidden' }] } };
      default: return { error: { code: -32601, message: 'Method not found' } };
    }
  }
}
