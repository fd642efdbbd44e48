// An MCP server over streamable HTTP of the legacy era and the modern one that says the very bytes a test tells it to.
import { HttpService } from './http_service.mjs';

export class RawServer extends HttpService {
  static async start() {
    const self = new RawServer();
    self.requests = [];  // {method: of JSON-RPC or HTTP, body, headers}
    self.answer = undefined;  // (message, response, request): takes over what it does not return false for
    self.listen = undefined;  // (response): its own stream
    return self.open();
  }

  last(method) { return this.requests.filter((request) => request.method === method).at(-1); }

  async serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    if (request.method !== 'POST') {
      if (request.method === 'GET' && this.listen) return this.listen(response);
      return response.writeHead(request.method === 'GET' ? 405 : 200).end();
    }
    const message = JSON.parse(body);
    this.requests.push({ method: message.method, body, headers: request.headers });
    if (message.id === undefined || message.method === undefined) return response.writeHead(202).end();
    if (this.answer && this.answer(message, response, request) !== false) return undefined;
    const isModern = Boolean(message.params?._meta?.['io.modelcontextprotocol/protocolVersion']);
    const capabilities = { tools: {}, logging: {}, prompts: {}, completions: {}, resources: { subscribe: true } };
    const info = { capabilities, serverInfo: { name: 'raw', version: '1' } };
    const results = {
      initialize: { protocolVersion: message.params?.protocolVersion, ...info },
      'server/discover': { supportedVersions: ['2026-07-28', '2025-11-25'], ...info, ttlMs: 0, cacheScope: 'private' },
      'tools/list': { tools: [{ name: 'echo', inputSchema: { type: 'object' } }], ...(isModern ? { ttlMs: 0, cacheScope: 'private' } : {}) },
    };
    const result = { ...(results[message.method] ?? { content: [] }), ...(isModern ? { resultType: 'complete' } : {}) };
    const headers = { 'content-type': 'application/json', ...(message.method === 'initialize' ? { 'mcp-session-id': 'the-servers-own' } : {}) };
    return response.writeHead(200, headers).end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  }
}

// What begins a stream that carries these messages; more may follow.
export const streams = (response, messages) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  for (const message of messages) response.write(`data: ${typeof message === 'string' ? message : JSON.stringify(message)}\n\n`);
};
