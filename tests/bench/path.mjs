// Measures the call path: wrk -> {server | nginx -> server | agent -> server}. The proxy under test has core 0 to itself; wrk, the
// server and the control plane share core 1.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Stage } from '../../deploy/demo/stage.mjs';
import { botToken } from '../../deploy/demo/tokens.mjs';

const { values: options } = parseArgs({ options: { bin: { type: 'string' }, rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '4' }, bytes: { type: 'string', default: '900' } } });
const here = dirname(fileURLToPath(import.meta.url));
const CONNECTIONS = [8, 32];
const stage = new Stage(options.bin);
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const onCore = (core, pid) => execFileSync('taskset', ['-a', '-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function freePort() {
  const { createServer } = await import('node:net');
  return new Promise((done) => { const server = createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); }); });
}

async function startNginx(upstreamPort) {
  const port = await freePort();
  const conf = stage.write('nginx.conf', `
worker_processes 1; daemon off; pid ${stage.path('nginx.pid')}; error_log /dev/null;
events { worker_connections 4096; }
http { access_log off; keepalive_requests 1000000000; client_body_temp_path ${stage.path('nb')}; proxy_temp_path ${stage.path('np')};
  fastcgi_temp_path ${stage.path('nf')}; uwsgi_temp_path ${stage.path('nu')}; scgi_temp_path ${stage.path('ns')};
  upstream server { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 1000000000; }
  server { listen 127.0.0.1:${port}; location / { proxy_pass http://server; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering on; } } }
`);
  const child = spawn('nginx', ['-c', conf], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }, stdio: 'ignore' });
  stage.children.push(child);
  await sleep(500);
  for (const pid of [child.pid, ...execFileSync('pgrep', ['-P', String(child.pid)]).toString().trim().split('\n')]) onCore(0, pid);
  return `http://127.0.0.1:${port}/mcp`;
}

async function openSession(url, token) {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}` }, body: '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}' });
  if (response.status !== 200) throw new Error(`initialize: HTTP ${response.status} ${await response.text()}`);
  await response.text();
  return response.headers.get('mcp-session-id');
}

function wrk(url, connections, headers) {
  const script = stage.write('post.lua', `
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Accept"] = "application/json, text/event-stream"
${Object.entries(headers).map(([name, value]) => `wrk.headers["${name}"] = "${value}"`).join('\n')}
local tail = ',"method":"tools/call","params":{"name":"echo","arguments":{"message":"${'what to say '.repeat(8)}"}}}'
function request() n = n + 1; return wrk.format(nil, nil, nil, '{"jsonrpc":"2.0","id":' .. n .. tail) end
function done(summary, latency, requests)
  io.write(string.format('RESULT {"rate":%f,"p50":%f,"p99":%f,"errors":%d,"non2xx":%d}\\n', summary.requests / summary.duration * 1e6, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout, summary.errors.status))
end`);
  return new Promise((done, fail) => {
    const child = spawn('taskset', ['-c', '1', 'wrk', '-t1', `-c${connections}`, `-d${options.seconds}s`, '-s', script, url]);
    let output = '';
    child.stdout.on('data', (data) => { output += data; });
    child.on('exit', () => { const found = /RESULT (\{.*\})/.exec(output); found ? done(JSON.parse(found[1])) : fail(new Error(output)); });
  });
}

async function main() {
  const upstreamPort = await freePort();
  const upstream = spawn(join(stage.bin, 'fast_upstream'), [String(upstreamPort), options.bytes], { stdio: 'inherit' });
  stage.children.push(upstream);
  onCore(1, upstream.pid);
  const nginx = await startNginx(upstreamPort);
  const issuer = await stage.issuer({ tokenSeconds: 36000 });
  const controlPlane = await stage.controlPlane(`issuers: [{id: demo, issuer: "${issuer.url}", audiences: ["api://sallyport"], preset: okta-rfc9068}]\nroles: {}\n`);
  onCore(1, controlPlane.child.pid);
  const policy = stage.write('policy.yaml', 'kind: Policy\nname: bench\nspec:\n  principals: [{realm: demo}]\n  servers: [fast]\n  session: {max_duration: 10h, idle_timeout: 10h}\n  rules: [{allow: {tools: [echo, "get-*"]}}, {deny: {tools: ["drop-*"]}}]\n  mask: [secrets, pii]\n');
  const applied = await stage.cli(controlPlane, ['apply', '-f', policy]);
  if (applied.code !== 0) throw new Error(applied.err);
  const contenders = [['server', `http://127.0.0.1:${upstreamPort}/mcp`, {}], ['nginx', nginx, {}]];
  const token = await botToken(issuer.url, 'deploy-bot');
  const agents = [];
  for (const durability of ['process', 'power']) {
    const { joinToken } = await stage.json(controlPlane, ['agents', 'token', 'create', '--name', durability, '--servers', 'fast']);
    const agent = await stage.agent(durability, `listen: 127.0.0.1:0\nrecording: {durability: ${durability}, spool_max_bytes: 2GiB}\nservers: [{name: fast, http: {url: "http://127.0.0.1:${upstreamPort}/mcp"}}]\n`, joinToken);
    onCore(0, agent.child.pid);
    agents.push(agent);
    const url = `http://${agent.mcp}/fast/mcp`;
    contenders.push([`agent, ${durability}`, url, { Authorization: `Bearer ${token}`, 'Mcp-Session-Id': await openSession(url, token), 'MCP-Protocol-Version': '2025-11-25' }, agent]);
  }

  const samples = {};
  for (let round = 0; round < Number(options.rounds); ++round) {
    for (const connections of CONNECTIONS) {
      for (const [name, url, headers, agent] of contenders) {
        const sample = await wrk(url, connections, headers);
        if (agent) sample.backlog = await backlog(agent);
        ((samples[name] ??= {})[connections] ??= []).push(sample);
        process.stderr.write(`round ${round + 1}, c=${connections}, ${name}: ${Math.round(sample.rate)} calls/s\n`);
        await sleep(500);
      }
    }
  }

  const rows = [];
  for (const connections of CONNECTIONS) {
    const of = (name, field) => median(samples[name][connections].map((sample) => sample[field]));
    for (const [name] of contenders) {
      rows.push({ connections, name, callsPerSecond: Math.round(of(name, 'rate')), ofNginx: +(of(name, 'rate') / of('nginx', 'rate')).toFixed(2), p50Us: Math.round(of(name, 'p50')), p99Us: Math.round(of(name, 'p99')),
        addedP50Us: Math.round(of(name, 'p50') - of('server', 'p50')), addedP99Us: Math.round(of(name, 'p99') - of('server', 'p99')),
        errors: samples[name][connections].reduce((sum, sample) => sum + sample.errors + sample.non2xx, 0), backlogBytes: samples[name][connections].at(-1).backlog });
    }
  }
  const machine = { cpu: cpus()[0].model, cores: cpus().length, kernel: release(), nginx: execFileSync('sh', ['-c', 'PATH=$PATH:/usr/sbin nginx -v 2>&1']).toString().trim(), rounds: Number(options.rounds), seconds: Number(options.seconds), resultBytes: Number(options.bytes), cores_: 'proxy under test on core 0; wrk, server and control plane on core 1' };
  console.log(JSON.stringify(machine));
  console.table(rows);
  mkdirSync(join(here, 'results'), { recursive: true });
  writeFileSync(join(here, 'results', 'path.json'), `${JSON.stringify({ machine, rows }, null, 1)}\n`);
}

async function backlog(agent) {
  const text = await (await fetch(`http://${agent.ready.listen.local}/metrics`)).text();
  return Number(/^sallyport_agent_spool_bytes (\S+)/m.exec(text)?.[1] ?? NaN);
}

try { await main(); } catch (error) { console.error(error.message); process.exitCode = 1; } finally { await stage.close(); }
process.exit();
