// What an agent holds: idle, with ten thousand idle sessions, after load, and for each open stream over TLS.
import { execFileSync } from 'node:child_process';
import { connect as connectPlain } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { readFileSync } from 'node:fs';
import { throughAgent } from '../bed.mjs';
import { wrk } from '../load.mjs';
import { LOAD_CORE, memoryOf, PATH_CORE, sleep } from '../machine.mjs';
import { metricsOf } from '../metrics.mjs';
import { mebibytes, report } from '../report.mjs';

const STREAMS = 1000, STREAMS_OF_CLIENT = 50;
const AT_A_TIME = 16;
const SETTLE_MS = 5000;
// What a token names is kept for up to two minutes.
const REST_MS = 130000;

// One client's connection, which stays open: a request at a time, as a client that keeps its connection does.
class Connection {
  static async open(port, ca) {
    const self = new Connection();
    self.port = port;
    self.socket = ca ? connectTls({ port, host: '127.0.0.1', ca }) : connectPlain(port, '127.0.0.1');
    self.socket.setNoDelay(true);
    await new Promise((done, fail) => self.socket.once(ca ? 'secureConnect' : 'connect', done).once('error', fail));
    self.socket.on('error', () => {});
    return self;
  }

  // Resolves with the answer's head once all of it, or of a stream the first event, is there.
  ask(path, method, token, session, body = '') {
    let input = '';
    this.socket.write(`${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.port}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nAuthorization: Bearer ${token}\r\n`
      + `${session ? `Mcp-Session-Id: ${session}\r\nMCP-Protocol-Version: 2025-11-25\r\n` : ''}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    return new Promise((done, fail) => {
      const end = (why) => { this.socket.off('data', take); this.socket.off('close', lost); why ? fail(why) : done(input); };
      const lost = () => end(new Error(`the connection was closed after: ${input.slice(0, 200)}`));
      const take = (data) => {
        input += data.toString('latin1');
        const head = input.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = /^content-length: (\d+)/im.exec(input.slice(0, head))?.[1] ?? (/^HTTP\/1.1 20[24]/.test(input) ? 0 : undefined);
        const isThere = length === undefined ? input.includes('data:', head) : input.length >= head + 4 + Number(length);
        if (isThere) end(/^HTTP\/1.1 20/.test(input) ? undefined : new Error(input.slice(0, 400)));
      };
      this.socket.on('data', take).on('close', lost);
    });
  }

  close() { this.socket.destroy(); }
}

const INITIALIZE = '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}';
const INITIALIZED = '{"jsonrpc":"2.0","method":"notifications/initialized"}';

async function openSession(port, { token }, ca) {
  const connection = await Connection.open(port, ca);
  const answer = await connection.ask('/fast/mcp', 'POST', token, undefined, INITIALIZE);
  const session = /^mcp-session-id: (\S+)/im.exec(answer)[1];
  await connection.ask('/fast/mcp', 'POST', token, session, INITIALIZED);
  return { connection, session, token };
}

async function forEach(items, work) {
  let next = 0;
  const results = new Array(items.length);
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => { while (next < items.length) { const i = next++; results[i] = await work(items[i], i); } }));
  return results;
}

function selfSigned(stage) {
  const [cert, key] = [stage.path('tls.crt'), stage.path('tls.key')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', '/CN=bench', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert], { stdio: 'ignore' });
  execFileSync('chmod', ['600', key]);
  return { cert, key };
}

export async function run({ bed, facts, number, progress }) {
  const rows = [];
  const note = async (what, agent, extra = {}) => {
    const { rss, pss } = memoryOf(agent.child.pid);
    const { sallyport_agent_sessions: sessions, sallyport_agent_connections: connections } = await metricsOf(agent);
    rows.push({ shown: { what, RSS: mebibytes(rss), PSS: pss && mebibytes(pss), ...extra, sessions, connections }, kept: { rss, pss } });
    progress(`${what}: ${mebibytes(rss)}`);
    return rss;
  };
  const agent = await bed.agent('plain');
  await sleep(SETTLE_MS);
  await note('idle, just started', agent);
  await sessionsAndLoad({ bed, agent, note, number, progress });
  const tls = selfSigned(bed.stage);
  const bare = await bed.agent('bare');
  const secure = await bed.agent('tls', { extra: `tls: {cert_file: ${tls.cert}, key_file: ${tls.key}}\n` });
  const minted = await bed.issuer.mintMany(STREAMS / STREAMS_OF_CLIENT, STREAMS / STREAMS_OF_CLIENT);
  await streams({ agent: bare, minted, note, name: 'plain HTTP' });
  await streams({ agent: secure, minted, note, name: 'TLS', ca: readFileSync(tls.cert) });
  report('memory', {
    ...facts, sessions: number('sessions'), streams: STREAMS,
    placement: `the agent's first thread on core ${PATH_CORE}, everything else on core ${LOAD_CORE}; goals: 40 MiB idle, 512 MiB with 10,000 sessions, after a load within 10 % of what it was before`,
    notes: ['a session is a client of its own, with a principal, a token, a just-in-time session and an MCP session of its own and a connection that stays open, over plain HTTP, without a stream', `other figures are taken ${SETTLE_MS / 1000} s after what they are named for`],
  }, rows);
}

async function sessionsAndLoad({ bed, agent, note, number, progress }) {
  const count = number('sessions');
  const port = Number(agent.mcp.split(':').at(-1));
  const minted = await bed.issuer.mintMany(count, count);
  const [one] = minted;
  const contender = throughAgent('load', agent, LOAD_CORE);
  const load = async (connections) => {
    contender.requests = bed.requests('load', contender, [one], await bed.openSessions(agent, [one]));
    return Math.round((await wrk(bed, contender, connections, number('seconds', 8))).rate);
  };
  // What the first calls bring in for good (code, buffers, caches) is no load's.
  await load(8);
  await sleep(REST_MS);
  const idle = await note('idle, having served 8 connections', agent);
  const ofIdle = () => ({ 'of idle': (memoryOf(agent.child.pid).rss / idle).toFixed(2) });
  await note(`at the end of ${await load(128)} calls/s over 128 connections`, agent);
  await sleep(REST_MS);
  await note(`${REST_MS / 1000} s after that load`, agent, ofIdle());
  const began = Date.now();
  const open = await forEach(minted, (one, i) => { if (i % 1000 === 999) progress(`${i + 1} sessions after ${Date.now() - began} ms`); return openSession(port, one); });
  // Opening them all may take longer than the agent lets a connection be idle.
  const revive = async (one) => {
    if (!one.connection.socket.destroyed) return false;
    one.connection = await Connection.open(port);
    return true;
  };
  await forEach(open, async (one) => {
    if (!await revive(one)) return;
    await one.connection.ask('/fast/mcp', 'POST', one.token, one.session, '{"jsonrpc":"2.0","id":1,"method":"ping"}');
  });
  await sleep(SETTLE_MS);
  const held = memoryOf(agent.child.pid).rss;
  await note(`${count} idle sessions`, agent, { 'KiB each': ((held - idle) / 1024 / count).toFixed(1) });
  await forEach(open, async (one) => {
    await revive(one);
    await one.connection.ask('/fast/mcp', 'DELETE', one.token, one.session).catch(() => {});
    one.connection.close();
  });
  await sleep(SETTLE_MS);
  await note('those sessions ended', agent, ofIdle());
  await load(128);
  await sleep(REST_MS);
  await note(`${REST_MS / 1000} s after those sessions and that load once more`, agent, ofIdle());
}

async function streams({ agent, minted, note, name, ca }) {
  const port = Number(agent.mcp.split(':').at(-1));
  const clients = [];
  for (const one of minted) clients.push(await openSession(port, one, ca));
  await sleep(SETTLE_MS);
  const before = memoryOf(agent.child.pid).rss;
  const call = (i) => `{"jsonrpc":"2.0","id":${i + 1},"method":"tools/call","params":{"name":"stream","_meta":{"progressToken":"p${i}"},"arguments":{"events":2,"period_ms":3600000}}}`;
  const open = await forEach(Array.from({ length: STREAMS }, (_, i) => i), async (i) => {
    const { session, token } = clients[i % clients.length];
    const connection = await Connection.open(port, ca);
    await connection.ask('/fast/mcp', 'POST', token, session, call(i));
    return connection;
  });
  await sleep(SETTLE_MS);
  await note(`${STREAMS} open streams, ${name}`, agent, { 'KiB each': ((memoryOf(agent.child.pid).rss - before) / 1024 / STREAMS).toFixed(1) });
  for (const connection of [...open, ...clients.map((client) => client.connection)]) connection.close();
}
