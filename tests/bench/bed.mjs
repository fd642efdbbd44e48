// What every scenario stands on: the fast server, an issuer, the control plane with one policy, and the contenders in front of the server.
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Stage } from '../../deploy/demo/stage.mjs';
import { AUDIENCE, Issuer } from './issuer.mjs';
import { childrenOf, freePort, LOAD_CORE, PATH_CORE, pin, sleep } from './machine.mjs';

const POLICY = `kind: Policy
name: bench
spec:
  principals: [{realm: bench}]
  servers: ["*"]
  session: {max_duration: 10h, idle_timeout: 10h}
  rules: [{allow: {tools: [echo, stream, "get-*"]}}, {deny: {tools: ["drop-*"]}}]
  mask: [secrets, pii]
`;
const INITIALIZE = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}';
const ECHO = `"method":"tools/call","params":{"name":"echo","arguments":{"message":"${'what to say '.repeat(8)}"}}`;

export class Bed {
  static async make(bin, { bytes = 900 } = {}) {
    const bed = new Bed();
    bed.stage = new Stage(bin);
    bed.issuer = await Issuer.start();
    bed.upstreamPort = await freePort();
    const upstream = spawn(join(bed.stage.bin, 'fast_upstream'), [String(bed.upstreamPort), String(bytes)], { stdio: 'inherit' });
    bed.stage.children.push(upstream);
    pin(upstream.pid, LOAD_CORE);
    bed.controlPlane = await bed.stage.controlPlane(`issuers: [{id: bench, issuer: "${bed.issuer.url}", audiences: ["${AUDIENCE}"], preset: okta-rfc9068}]\nroles: {}\n`);
    pin(bed.controlPlane.child.pid, LOAD_CORE);
    const applied = await bed.stage.cli(bed.controlPlane, ['apply', '-f', bed.stage.write('policy.yaml', POLICY)]);
    if (applied.code !== 0) throw new Error(applied.err);
    return bed;
  }

  async close() {
    await this.stage.close();
    this.issuer.close();
  }

  direct() {
    return { name: 'the server itself', port: this.upstreamPort, path: '/mcp', pid: undefined };
  }

  // nginx as a plain reverse proxy with kept connections: one worker on the path's core.
  async nginx() {
    const port = await freePort();
    const at = (name) => this.stage.path(name);
    const conf = this.stage.write('nginx.conf', `
worker_processes 1; daemon off; pid ${at('nginx.pid')}; error_log /dev/null;
events { worker_connections 8192; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${at('nb')}; proxy_temp_path ${at('np')};
  fastcgi_temp_path ${at('nf')}; uwsgi_temp_path ${at('nu')}; scgi_temp_path ${at('ns')}; large_client_header_buffers 4 16k;
  upstream server { server 127.0.0.1:${this.upstreamPort}; keepalive 1024; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port} backlog=4096; location / { proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ""; }
           location /streams/ { proxy_pass http://server/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } } }
`);
    const child = spawn('nginx', ['-c', conf], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: 'ignore' });
    this.stage.children.push(child);
    await sleep(500);
    const [worker] = childrenOf(child.pid);
    for (const pid of [child.pid, worker]) pin(pid, PATH_CORE);
    return { name: 'nginx', port, path: '/mcp', pid: worker };
  }

  // HAProxy with one thread on the path's core, that checks each call's RS256 token (algorithm, signature, issuer, audience, time) and
  // its tool against a list.
  async haproxy() {
    const port = await freePort();
    const key = this.stage.write('issuer.pem', this.issuer.pem);
    const tools = this.stage.write('tools.lst', 'echo\nget-one\nget-two\n');
    const conf = this.stage.write('haproxy.cfg', `
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend door
  bind 127.0.0.1:${port}
  option http-buffer-request
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.iss') -m str ${this.issuer.url} }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_payload_query('$.aud') -m str ${AUDIENCE} }
  http-request deny deny_status 401 if { var(txn.bearer),jwt_payload_query('$.exp','int'),sub(txn.now) -m int lt 0 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${key}") 1 }
  http-request deny deny_status 403 unless { req.body,json_query('$.method') -m str tools/call }
  http-request deny deny_status 403 unless { req.body,json_query('$.params.name') -m str -f ${tools} }
  default_backend server
backend server
  server fast 127.0.0.1:${this.upstreamPort} pool-max-conn 1024
`);
    const child = spawn('haproxy', ['-db', '-f', conf], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: 'ignore' });
    this.stage.children.push(child);
    await sleep(500);
    if (child.exitCode !== null) throw new Error(`haproxy ended: ${execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin haproxy -c -f ${conf} 2>&1 || true`])}`);
    pin(child.pid, PATH_CORE);
    return { name: 'haproxy, token and tool list', port, path: '/mcp', pid: child.pid };
  }

  // An agent in front of the server, or of what `servers` (YAML) says.
  async agent(name, { durability = 'process', servers, extra = '' } = {}) {
    const names = servers ? [...servers.matchAll(/name: ([\w-]+)/g)].map((found) => found[1]).join(',') : 'fast';
    const { joinToken } = await this.stage.json(this.controlPlane, ['agents', 'token', 'create', '--name', name, '--servers', names]);
    const agent = await this.stage.agent(name, `listen: 127.0.0.1:0\nrecording: {durability: ${durability}, spool_max_bytes: 4GiB}\n${extra}servers:\n${servers ?? `  - {name: fast, http: {url: "http://127.0.0.1:${this.upstreamPort}/mcp"}}`}\n`, joinToken);
    pin(agent.child.pid, PATH_CORE, LOAD_CORE);
    return agent;
  }

  // Opens an MCP session of each client among `minted` and gives {client: session id}.
  async openSessions(agent, minted, server = 'fast') {
    const sessions = {};
    const url = `http://${agent.mcp}/${server}/mcp`;
    for (const { client, token } of minted) {
      if (sessions[client]) continue;
      const headers = { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}` };
      const response = await fetch(url, { method: 'POST', headers, body: INITIALIZE });
      if (response.status !== 200) throw new Error(`initialize: HTTP ${response.status} ${await response.text()}`);
      await response.text();
      sessions[client] = response.headers.get('mcp-session-id');
      Object.assign(headers, { 'mcp-session-id': sessions[client], 'mcp-protocol-version': '2025-11-25' });
      await (await fetch(url, { method: 'POST', headers, body: '{"jsonrpc":"2.0","method":"notifications/initialized"}' })).text();
    }
    return sessions;
  }

  // A file of `count` whole requests that go through `minted` in turn, each with its own JSON-RPC id: what every contender is sent, but for
  // host, path and session. `call(i)` is a request's members behind its id.
  requests(name, { port, path }, minted, sessions = {}, { count = 10000, call = () => ECHO } = {}) {
    const parts = [];
    for (let i = 0; i < count; ++i) {
      const { client, token } = minted[i % minted.length];
      const body = `{"jsonrpc":"2.0","id":${i + 1},${call(i)}}`;
      parts.push(`POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n`
        + `MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: ${sessions[client] ?? '0123456789abcdef0123456789abcdef'}\r\nAuthorization: Bearer ${token}\r\n`
        + `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}\0`);
    }
    return this.stage.write(`requests-${name.replaceAll(/\W+/g, '-')}`, parts.join(''));
  }
}

// An agent as a contender: `rest` is the core of all its threads but the one that carries calls.
export function throughAgent(name, agent, rest, server = 'fast') {
  const pid = agent.child.pid;
  return { name, port: Number(agent.mcp.split(':').at(-1)), path: `/${server}/mcp`, pid, agent, prepare: () => pin(pid, PATH_CORE, rest) };
}
