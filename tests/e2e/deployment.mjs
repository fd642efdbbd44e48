// A whole deployment for one test file: issuer, control plane, agents, and servers behind them.
import { execFileSync, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Stage, isRoot } from '../../deploy/demo/stage.mjs';
import { botToken } from '../../deploy/demo/tokens.mjs';
import { OracleServer } from './oracle_server.mjs';

export const PEOPLE = 'api://sallyport-admin';
export const CALLERS = 'api://sallyport';
const BIN = process.env.SALLYPORT_BIN;
if (!BIN) throw new Error('SALLYPORT_BIN names the directory of the two programs');

export const allowAll = (name, session = '{max_duration: 10m}', rules = '') => `kind: Policy
name: ${name}
spec:
  principals: [{realm: demo, client_ids: [deploy-bot, second-bot]}]
  servers: ["*"]
  session: ${session}
  rules:
    - allow: {tools: ["*"], resources: ["*"], prompts: ["*"], methods: ["*"]}
    - allow: {server_requests: [sampling, elicitation, roots]}
${rules}`;

export class Deployment {
  // options: {policy, notify, secrets: words of `notify` that stand for a file with this content, tls: issuer over https and the agent
  // behind TLS, agentConfig, idp, minRefresh: how soon an issuer's keys are fetched again for an unknown one, moreServers: {name: url}}
  static async start(options = {}) {
    const self = new Deployment();
    self.stage = new Stage(BIN);
    try {
      await self.#start(options);
    } catch (error) {
      await self.close();
      throw error;
    }
    return self;
  }

  async #start({ policy, notify = '[]', secrets = {}, tls = false, agentConfig = '', idp = {}, minRefresh = '30s', moreServers = {} }) {
    const { stage } = this;
    this.moreServers = moreServers;
    this.tls = tls ? makeCertificates(stage) : undefined;
    this.oracle = await OracleServer.start();
    this.modern = await OracleServer.start({ modern: true });
    for (const [word, content] of Object.entries(secrets)) notify = notify.replaceAll(word, stage.write(word, content));
    this.issuer = await stage.issuer({ ...idp, tls: this.tls });
    this.controlPlane = await stage.controlPlane(`
issuers:
  - id: demo
    issuer: "${this.issuer.url}"
    audiences: ["${CALLERS}"]
    preset: okta-rfc9068
    principal: {user_if: [{present: [uid]}]}
    jwks: {min_refresh: ${minRefresh}${this.tls ? `, ca_file: ${this.tls.ca}` : ''}}
admin_audiences: ["${PEOPLE}"]
roles: {admin: ["demo:platform-admins"], approver: ["demo:approvers"], auditor: ["demo:auditors"]}
notify: ${notify}
`);
    if (policy) await this.apply(policy);
    this.agentConfig = `
listen: 127.0.0.1:0
recording: {durability: process, spool_max_bytes: 256MiB}
${this.tls ? `tls: {cert_file: ${this.tls.cert}, key_file: ${this.tls.key}}` : ''}
${agentConfig}
servers:
${await this.servers()}`;
    this.agent = await this.addAgent('agent-a');
  }

  async servers() {
    const packages = await this.stage.nodePackages();
    this.node = process.execPath.replace(/^.*\/node_modules\//, `${packages}/`);
    this.everything = join(packages, '@modelcontextprotocol/server-everything/dist/index.js');
    // The server passes over a second argument; by it its processes are told from those of other deployments.
    this.mark = `of-${randomUUID()}`;
    this.credential = 'held-credential-0a1b2c3d4e5f';
    const file = this.stage.write('credential', this.credential);
    return `  - name: oracle
    http: {url: "${this.oracle.url}", headers: {Authorization: {prefix: "Bearer ", credential: api}}}
    credentials: {api: {file: ${file}}}
  - {name: modern, http: {url: "${this.modern.url}"}}
  - name: everything
    stdio:
      command: ["${this.node}", "${this.everything}", stdio, ${this.mark}]
      env: {API_TOKEN: {credential: api}}
      hide: ["${this.controlPlane.dataDir}"]
      ${isRoot ? 'run_as: nobody' : ''}
    credentials: {api: {file: ${file}}}
${Object.entries(this.moreServers).map(([name, url]) => `  - {name: ${name}, http: {url: "${url}"}}\n`).join('')}`;
  }

  async addAgent(name) {
    const { joinToken } = await this.stage.json(this.controlPlane, ['agents', 'token', 'create', '--name', name, '--servers', ['oracle', 'modern', 'everything', ...Object.keys(this.moreServers)].join()]);
    return this.stage.agent(name, this.agentConfig, joinToken);
  }

  // The processes of server-everything that run for this deployment.
  children() { return spawnSync('pgrep', ['-f', `${this.everything} stdio ${this.mark}`]).stdout.toString().split('\n').filter(Boolean); }
  url(server = 'oracle', agent = this.agent) { return `${this.tls ? 'https' : 'http'}://${agent.mcp}/${server}/mcp`; }

  async apply(text, name = 'policy.yaml') {
    const { code, err } = await this.stage.cli(this.controlPlane, ['apply', '-f', this.stage.write(name, text)]);
    if (code !== 0) throw new Error(`apply: ${err}`);
  }

  // The control plane comes back on the port that its agents know.
  async keepPort() {
    const port = this.controlPlane.api.split(':')[1];
    execFileSync('sed', ['-i', `s/^listen: 127.0.0.1:0/listen: 127.0.0.1:${port}/`, this.controlPlane.file]);
  }

  token(bot = 'deploy-bot', resource) { return botToken(this.issuer.url, bot, resource); }
  async mint(request) {
    const response = await fetch(`${this.issuer.url}/test/mint`, { method: 'POST', body: JSON.stringify(request) });
    return response.text();
  }
  person(user) {
    this.people ??= {};
    return (this.people[user] ??= this.stage.login(this.controlPlane, this.issuer.url, user, PEOPLE, this.tls ? ['--issuer-ca-file', this.tls.ca] : []));
  }
  cli(args, as) { return this.stage.cli(this.controlPlane, args, as); }
  json(args, as) { return this.stage.json(this.controlPlane, args, as); }

  // The official client. `token` may be a promise.
  async connect(server, token, { capabilities = {}, agent } = {}) {
    const client = new Client({ name: 'e2e', version: '1.0.0' }, { capabilities });
    const transport = new StreamableHTTPClientTransport(new URL(this.url(server, agent)), { requestInit: { headers: { authorization: `Bearer ${await token}` } } });
    await client.connect(transport);
    client.sessionId = transport.sessionId;
    return client;
  }

  // One POST with nothing between: {status, headers, body, message}.
  async post(server, body, { token, headers = {}, agent } = {}) {
    const response = await fetch(this.url(server, agent), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();

    let message;
    try { message = JSON.parse(response.headers.get('content-type')?.startsWith('text/event-stream') ? text.match(/^data: .+$/gm).at(-1).slice(6) : text); } catch { message = undefined; }
    return { status: response.status, headers: response.headers, body: text, message };
  }

  // A raw MCP session: {headers, call(method, params, id)}.
  async session(server, token, capabilities = {}, agent) {
    const initialized = await this.post(server, { jsonrpc: '2.0', id: 0, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'e2e', version: '1' } } }, { token, agent });
    if (!initialized.message?.result) throw Object.assign(new Error(`initialize: HTTP ${initialized.status} ${initialized.body}`), initialized);
    const headers = { 'mcp-session-id': initialized.headers.get('mcp-session-id'), 'mcp-protocol-version': '2025-11-25' };
    await this.post(server, { jsonrpc: '2.0', method: 'notifications/initialized' }, { token, headers, agent });
    let next = 0;
    return {
      headers, result: initialized.message.result,
      call: (method, params, id = ++next) => this.post(server, { jsonrpc: '2.0', id, method, params }, { token, headers, agent }),
      end: () => fetch(this.url(server, agent), { method: 'DELETE', headers: { ...headers, authorization: `Bearer ${token}` } }),
    };
  }

  // Its chain is proven to its END record.
  async isWhole(id) {
    const { out } = await this.cli(['sessions', 'verify', id, '-o', 'json']);
    const { valid, isOpen, records } = JSON.parse(out);
    return valid && !isOpen && { valid, records };
  }

  async close() {
    this.oracle?.close();
    this.modern?.close();
    await this.stage.close();
  }
}

function makeCertificates(stage) {
  const [ca, caKey, cert, key, request, extensions] = ['ca.pem', 'ca.key', 'cert.pem', 'cert.key', 'cert.csr', 'cert.ext'].map((name) => stage.path(name));
  const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=e2e test CA', '-keyout', caKey, '-out', ca,
    '-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign');
  openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=127.0.0.1', '-keyout', key, '-out', request);
  stage.write('cert.ext', 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n');
  openssl('x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial', '-days', '2', '-extfile', extensions, '-out', cert);
  execFileSync('chmod', ['600', key, caKey]);
  return { ca, cert, key };
}

export const until = async (what, probe, { tries = 100, everyMs = 100 } = {}) => {
  for (let i = 0; i < tries; ++i) {
    const value = await probe();
    if (value) return value;
    await new Promise((done) => setTimeout(done, everyMs));
  }
  throw new Error(`${what}: not within ${(tries * everyMs) / 1000} s`);
};
