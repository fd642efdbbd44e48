// The story of the quickstart: one session from the first refusal to its verified recording. Prints what happens as it happens.
//   node story.mjs --bin DIR [--keep]
import { createServer } from 'node:http';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { Stage, isRoot } from './stage.mjs';
import { botToken } from './tokens.mjs';

const { values: options } = parseArgs({ options: { bin: { type: 'string' }, keep: { type: 'boolean', default: false } } });
const PEOPLE = 'api://sallyport-admin';
const SESSION_SECONDS = 20;
const API_TOKEN = 'demo-credential-of-the-server-4f1d9c';
const WEBHOOK_SECRET = 'webhook-secret-0123456789';

const colour = process.stdout.isTTY ? (code, text) => `\x1b[${code}m${text}\x1b[0m` : (_, text) => text;
let chapter = 0;
const say = (text) => console.log(`\n${colour(1, `${++chapter}. ${text}`)}`);
const show = (text) => console.log(String(text).trimEnd().split('\n').map((line) => `   ${line}`).join('\n'));
function expect(condition, what) {
  if (!condition) throw new Error(`the story went wrong: ${what}`);
}

const stage = new Stage(options.bin);
let closing;
const close = () => (closing ??= stage.close());
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, async () => { await close(); process.exit(130); });

// What a notifier of your own would be: checks the signature before it believes a word.
function startWebhook() {
  const notices = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const { t, v1 } = Object.fromEntries(request.headers['sallyport-signature'].split(',').map((part) => part.split('=')));
    const wanted = createHmac('sha256', WEBHOOK_SECRET).update(`${t}.${body}`).digest('hex');
    if (timingSafeEqual(Buffer.from(wanted), Buffer.from(v1))) notices.push(JSON.parse(body));
    response.end();
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => { server.unref(); done({ url: `http://127.0.0.1:${server.address().port}/`, notices }); }));
}

async function connect(url, token) {
  const client = new Client({ name: 'quickstart', version: '1.0.0' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: token ? { authorization: `Bearer ${token}` } : {} } }));
  return client;
}
async function refused(promise) {
  try { await promise; } catch (error) { return String(error.message ?? error).replace(/\s+/g, ' ').slice(0, 300); }
  throw new Error('the story went wrong: this should have been refused');
}
const text = (result) => result.content.map((item) => item.text ?? `(${item.type})`).join('\n');

async function pendingApproval(controlPlane, person) {
  for (let i = 0; i < 100; ++i) {
    const { items } = await stage.json(controlPlane, ['approvals', 'list'], person);
    if (items.length > 0) return items[0];
    await sleep(100);
  }
  throw new Error('the story went wrong: no approval came up');
}

async function main() {
  say('A real OIDC provider, the control plane, an agent, and a real MCP server behind it');
  const webhook = await startWebhook();
  const issuer = await stage.issuer();
  const controlPlane = await stage.controlPlane(`
issuers:
  - {id: demo, issuer: "${issuer.url}", audiences: ["api://sallyport"], preset: okta-rfc9068, principal: {user_if: [{present: [uid]}]}}
admin_audiences: ["${PEOPLE}"]
roles: {admin: ["demo:platform-admins"], approver: ["demo:approvers"], auditor: ["demo:auditors"]}
notify:
  - {name: demo, webhook: "${webhook.url}", secret_file: ${stage.write('webhook.key', WEBHOOK_SECRET)}, approvers: ["demo:approvers"]}
`);
  const policy = (session) => `kind: Policy
name: deploy-bots
spec:
  principals: [{realm: demo, client_ids: [deploy-bot]}]
  servers: [everything]
  session: ${session}
  rules:
    - allow: {tools: [echo, get-env], resources: ["*"], prompts: ["*"]}
    - require_approval: {tools: [trigger-long-running-operation], approvers: ["demo:approvers"], expires_after: 5m}
  mask: [secrets, pii]
`;
  const policyFile = stage.write('policy.yaml', policy(`{open: request, max_duration: ${SESSION_SECONDS}s, approval: {approvers: ["demo:approvers"]}}`));
  show((await stage.cli(controlPlane, ['apply', '-f', policyFile])).out);

  const packages = await stage.nodePackages();
  const node = process.execPath.replace(/^.*\/node_modules\//, `${packages}/`);
  const { joinToken } = await stage.json(controlPlane, ['agents', 'token', 'create', '--name', 'demo-agent', '--servers', 'everything']);
  const agent = await stage.agent('demo-agent', `
listen: 127.0.0.1:0
recording: {durability: power, spool_max_bytes: 256MiB}
servers:
  - name: everything
    stdio:
      command: ["${node}", "${join(packages, '@modelcontextprotocol/server-everything/dist/index.js')}", stdio]
      env: {API_TOKEN: {credential: api-token}}
      hide: ["${controlPlane.dataDir}", "${stage.path('people')}"]
      ${isRoot ? 'run_as: nobody' : ''}
    credentials: {api-token: {file: ${stage.write('api-token', API_TOKEN)}}}
`, joinToken);
  const url = `http://${agent.mcp}/everything/mcp`;
  show(`provider       ${issuer.url}\ncontrol plane  ${controlPlane.api}\nagent          ${url}`);

  say('No token: refused');
  const bare = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' });
  expect(bare.status === 401, `HTTP ${bare.status}`);
  show(`HTTP ${bare.status}\nwww-authenticate: ${bare.headers.get('www-authenticate')}`);

  say('A valid token of a bot that no policy names: refused, as if the server did not exist');
  show(await refused(connect(url, await botToken(issuer.url, 'stray-bot'))));

  say('The bot that policy names, without a session: told what to do');
  const token = await botToken(issuer.url, 'deploy-bot');
  show(await refused(connect(url, token)));

  say('It asks for a session, with a reason');
  show((await stage.cli(controlPlane, ['request', 'everything', '--reason', 'roll out build 4711'], { token })).out);

  say('The approvers get a signed notice; Alice signs in and approves');
  const alice = await stage.login(controlPlane, issuer.url, 'alice', PEOPLE);
  const approval = await pendingApproval(controlPlane, alice);
  for (let i = 0; i < 50 && webhook.notices.length === 0; ++i) await sleep(100);
  expect(webhook.notices[0]?.approval?.id === approval.id, 'no notice');
  show(`notice: ${webhook.notices[0].type} ${webhook.notices[0].approval.id}`);
  show((await stage.cli(controlPlane, ['approvals', 'list'], alice)).out);
  show((await stage.cli(controlPlane, ['approvals', 'approve', approval.id, '--reason', 'change 4711 is planned'], alice)).out);

  say(`The session opens, for ${SESSION_SECONDS} seconds. The bot connects with the official MCP client`);
  const client = await connect(url, token);
  const opened = Date.now();
  show(`tools it can see: ${(await client.listTools()).tools.map((tool) => tool.name).join(', ')}`);

  say('An allowed tool answers');
  show(text(await client.callTool({ name: 'echo', arguments: { message: 'hello through the door' } })));

  say('A tool that returns secrets comes back masked, the server\'s own credential included');
  const environment = text(await client.callTool({ name: 'get-env', arguments: {} }));
  expect(!environment.includes(API_TOKEN), 'the credential came back');
  show(environment.split('\n').filter((line) => /API_TOKEN|PATH/.test(line)).join('\n'));
  show(text(await client.callTool({ name: 'echo', arguments: { message: 'AKIAZQ3DRSTUVWXY2LMN belongs to ada@example.com' } })));

  say('A risky tool waits for a person; Alice approves; it answers once');
  const risky = client.callTool({ name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 2 } }, undefined, {
    onprogress: (progress) => { if (progress.message) show(`progress: ${progress.message}`); }, resetTimeoutOnProgress: true,
  });
  const callApproval = await pendingApproval(controlPlane, alice);
  show((await stage.cli(controlPlane, ['approvals', 'show', callApproval.id], alice)).out);
  show((await stage.cli(controlPlane, ['approvals', 'approve', callApproval.id], alice)).out);
  show(text(await risky));

  say('A tool that no rule allows does not exist for it');
  show(await refused(client.callTool({ name: 'get-tiny-image', arguments: {} }).then((result) => { throw new Error(text(result)); })));

  say('The session expires by itself; the next call is refused');
  await sleep(Math.max(0, opened + (SESSION_SECONDS + 1) * 1000 - Date.now()));
  show(await refused(client.callTool({ name: 'echo', arguments: { message: 'too late' } })));

  say('The recording, replayed by an auditor');
  const dora = await stage.login(controlPlane, issuer.url, 'dora', PEOPLE);
  const { items } = await stage.json(controlPlane, ['sessions', 'list'], dora);
  const session = items.find((item) => item.principal?.clientId === 'deploy-bot' && item.openedAt);
  let verified;
  for (let i = 0; i < 50; ++i) {
    verified = await stage.cli(controlPlane, ['sessions', 'verify', session.id], dora);
    if (verified.code === 0 && !verified.out.includes('OPEN')) break;
    await sleep(200);
  }
  const replay = (await stage.cli(controlPlane, ['sessions', 'replay', session.id], dora)).out;
  expect(!replay.includes(API_TOKEN) && !replay.includes('AKIAZQ3DRSTUVWXY2LMN'), 'a secret is in the recording');
  show(replay);

  say('Its chain verifies');
  show(verified.out || verified.err);
  expect(verified.code === 0 && !verified.out.includes('OPEN'), 'the recording does not verify');

  if (options.keep) {
    stage.write('policy.yaml', policy('{open: connect, max_duration: 1h, idle_timeout: 30m}'));
    await stage.cli(controlPlane, ['apply', '-f', policyFile]);
    say('It stays up until you press Ctrl-C');
    const fresh = await botToken(issuer.url, 'deploy-bot');
    const env = `XDG_CONFIG_HOME=${alice.home} SALLYPORT_ADDR=${controlPlane.api} SALLYPORT_CA_FILE=${controlPlane.ca}`;
    show(`URL    ${url}\ntoken  ${fresh}\n\nFor a client's configuration:\n${JSON.stringify({ mcpServers: { everything: { type: 'http', url, headers: { Authorization: `Bearer ${fresh}` } } } }, null, 2)}\n\nWatch and decide as Alice:\n${env} ${join(stage.bin, 'sallyport')} approvals watch\n\nAdministrate from this machine:\nSALLYPORT_ADDR=${controlPlane.admin} ${join(stage.bin, 'sallyport')} sessions list`);
    await new Promise(() => setInterval(() => {}, 1 << 30));
  }
  console.log(`\n${colour(1, 'Done.')} Everything is stopped and removed. \`deploy/quickstart --keep\` stays up.`);
}

try {
  await main();
} catch (error) {
  console.error(`\n${error.message}`);
  for (const child of stage.children) if (child.exitCode) console.error(`${child.title} ended with ${child.exitCode}`);
  process.exitCode = 1;
} finally {
  await close();
}
process.exit();
