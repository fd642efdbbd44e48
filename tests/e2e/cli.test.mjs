// The command line as a person meets it: what it says when something is wrong, and its formats.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment, allowAll, until } from './deployment.mjs';

const BIN = process.env.SALLYPORT_BIN;
let door, token, alice, dora;
before(async () => {
  door = await Deployment.start({ policy: allowAll('all', '{max_duration: 10m, approval: {approvers: ["demo:approvers"]}}') });
  token = await door.token();
  alice = await door.person('alice');
  dora = await door.person('dora');
});
after(() => door?.close());

// With an environment of the test's own: {code, out, err}.
const sallyport = (args, env = {}) => new Promise((done) => {
  const clean = { PATH: process.env.PATH, XDG_CONFIG_HOME: door.stage.path('nobody'), ...env };
  execFile(join(BIN, 'sallyport'), args, { env: clean }, (error, out, err) => done({ code: error ? error.code : 0, out, err }));
});
const remote = (address, env = {}) => sallyport(['sessions', 'list'], { SALLYPORT_ADDR: address, SALLYPORT_TOKEN: 'a.b.c', SALLYPORT_CA_FILE: door.controlPlane.ca, ...env });

async function fails(running, ...patterns) {
  const { code, out, err } = await running;
  assert.equal(code, 1, err);
  assert.equal(out, '');
  assert.equal(err.trimEnd().split('\n').length, 1, `more than one line: ${err}`);
  for (const pattern of patterns) assert.match(err, pattern);
  return err;
}

test('each cause of a connection that fails has its own words, and gRPC none', async (t) => {
  const silent = createServer((socket) => socket.destroy());
  await new Promise((done) => silent.listen(0, '127.0.0.1', done));
  t.after(() => silent.close());
  await fails(remote('no-such-host.invalid:7443'), /the name cannot be resolved/);
  await fails(remote('127.0.0.1:1'), /nothing listens there/);
  await fails(remote(door.controlPlane.api, { SALLYPORT_CA_FILE: '' }), /not trusted/, /SALLYPORT_CA_FILE/);
  await fails(remote(`127.0.0.2:${silent.address().port}`), /nothing listens there/);
  await fails(remote(`127.0.0.1:${silent.address().port}`), /is it the control plane's `listen` port/);
  await fails(remote(door.controlPlane.api, { SALLYPORT_CA_FILE: door.controlPlane.file }), /SALLYPORT_CA_FILE.*no certificate/);
  await fails(sallyport(['sessions', 'list'], { SALLYPORT_ADDR: 'unix:///no/such/admin.sock' }), /there is no such socket/);
});

test('a token that is refused is told apart from one that has expired or lacks a role', async () => {
  await fails(remote(door.controlPlane.api), /\(token_invalid\)/, /event token_refused/);
  const expired = await door.mint({ payload: { iss: door.issuer.url, aud: 'api://sallyport-admin', sub: 'dora', exp: 1000, iat: 900, client_id: 'sallyport-cli' } });
  await fails(remote(door.controlPlane.api, { SALLYPORT_TOKEN: expired }), /\(token_expired\)/, /sallyport login` again/);
  await fails(door.cli(['agents', 'list'], alice), /the role admin or auditor is needed; `sallyport whoami`/);
  const events = door.controlPlane.log.map((line) => JSON.parse(line));
  for (const [event, reason] of [['token_refused', 'token_invalid'], ['rpc', 'token_expired'], ['rpc', 'role_missing']]) {
    assert.ok(events.some((line) => line.event === event && line.reason === reason), `${event} ${reason}`);
  }
});

test('whoami names the person, its roles and what the token is good for', async () => {
  const who = await door.json(['whoami'], dora);
  assert.equal(who.name, 'user:demo:dora');
  assert.deepEqual(who.roles, ['admin', 'auditor']);
  assert.equal(who.mayManage, true);
  assert.match((await door.cli(['whoami'])).out, /^you are +local:uid=\d+$/m);
  assert.match((await door.cli(['whoami'], { token })).out, /good for +access to servers alone/);
});

test('a name with bytes that a terminal obeys, or that are no UTF-8, is shown without them', async () => {
  await fails(sallyport(['config', 'check', '/tmp/\x1b[2J']), /\\u\{1b\}\[2J/);
  // Node has no such words.
  const run = spawnSync('bash', ['--norc', '-c', `"$1" get lock $'\\xff'`, 'bash', join(BIN, 'sallyport')], { env: { PATH: process.env.PATH, SALLYPORT_ADDR: door.controlPlane.admin }, encoding: 'utf8' });
  assert.equal(run.status, 2);
  assert.equal(run.stderr.trimEnd().split('\n').at(-1), 'sallyport get: "\\x{ff}" is not UTF-8');
  assert.doesNotMatch(run.stderr, /libprotobuf/);
});

test('what the admin socket does not serve says where to go instead', async () => {
  await fails(door.cli(['request', 'oracle']), /admin socket does not serve this/, /SALLYPORT_ADDR/);
  await fails(door.cli(['approvals', 'approve', 'apr_x']), /token of your own/);
  await fails(sallyport(['login', '--issuer', 'http://127.0.0.1:1', '--client-id', 'x'], { SALLYPORT_ADDR: door.controlPlane.admin }), /needs no login/);
});

test('login keeps no token that the control plane does not take, and says which it takes', async () => {
  const tries = { 'api://wrong': [/an access token whose aud is api:\/\/wrong/, /--resource .*`admin_audiences`/], '': [/an ID token whose aud is sallyport-cli/, /token_kind: id_token/] };
  for (const [resource, patterns] of Object.entries(tries)) {
    const failed = await door.stage.login(door.controlPlane, door.issuer.url, 'carol', resource).then(() => null, (error) => error);
    assert.ok(failed, `a token for ${resource || 'nothing'} was kept`);
    for (const pattern of patterns) assert.match(failed.message, pattern);
    assert.match((await remote(door.controlPlane.api, { SALLYPORT_TOKEN: '', XDG_CONFIG_HOME: door.stage.path('people', 'carol') })).err, /no token for/);
  }
  const bad = (issuer, env = {}) => sallyport(['login', '--no-browser', '--issuer', issuer, '--client-id', 'x'], { SALLYPORT_ADDR: door.controlPlane.api, SALLYPORT_CA_FILE: door.controlPlane.ca, ...env });
  await fails(bad('127.0.0.1:1'), /--issuer 127\.0\.0\.1:1: a URL must begin with https:\/\//);
  await fails(bad('http://127.0.0.1:1'), /--issuer http:\/\/127\.0\.0\.1:1: .*openid-configuration: /);
  // Nobody signs in for a control plane that cannot be asked: one line, and no URL in it.
  for (const [env, pattern] of [[{ SALLYPORT_ADDR: '127.0.0.1:1' }, /nothing listens there/], [{ SALLYPORT_CA_FILE: '/no/ca.pem' }, /\/no\/ca\.pem/], [{ SALLYPORT_CA_FILE: '' }, /not trusted/]]) {
    assert.doesNotMatch(await fails(bad(door.issuer.url, env), pattern), /code_challenge/);
  }
});

test('a wrong value names its option, what is expected and an example; what is missing is named, too', async () => {
  const told = async (args, ...patterns) => {
    const { code, out, err } = await door.cli(args);
    assert.deepEqual([code, out], [2, '']);
    for (const pattern of [/^sallyport /, /\nUsage: sallyport /, ...patterns]) assert.match(err, pattern);
  };
  await told(['policy', 'rollback', 'all', '--to', 'abc'], /--to "abc": expected a whole number, 1 or more, such as/);
  await told(['get', 'policy', 'all', '--version', '0'], /--version "0": expected a whole number, 1 or more/);
  await told(['sessions', 'list', '--state', 'activ'], /--state "activ": expected one of pending, active, ended, denied; did you mean active\?/);
  await told(['sessions', 'list', '--principal', 'deploy-bot'], /--principal "deploy-bot": expected REALM:NAME/);
  await told(['sessions', 'end', '--principal', 'demo:'], /--principal "demo:": expected REALM:NAME/);
  await told(['policy', 'simulate', '-f', 'x.yaml', '--since', '7days'], /--since "7days": expected .*, such as 7d/);
  await told(['get'], /get: KIND is missing: policy, mask-profile, server or lock/);
  await told(['sessions', 'list', '--sever', 'x'], /there is no option --sever; did you mean --server\?/);
});

test('names that nobody knows are said to be unknown, with those that are like them', async () => {
  await fails(door.cli(['tools', 'list', 'oracel']), /no agent fronts a server called oracel; did you mean oracle\?/);
  await fails(door.cli(['token', 'explain', 'no-such-file']), /cannot open no-such-file: No such file or directory; it takes a JWT, a file/);
  const simulate = (...args) => door.cli(['policy', 'simulate', '-f', door.stage.write('same.yaml', allowAll('all')), ...args], dora);
  await fails(simulate('--server', 'oracel'), /no agent fronts a server called oracel; did you mean oracle\?/);
  await fails(simulate('--principal', 'demo:nobody'), /nobody called demo:nobody has ever had a session/);
  await fails(door.cli(['sessions', 'resolve', 'ses_nowhere', 'c1', '--outcome', 'done']), /there is no session ses_nowhere/);
  const typo = await door.cli(['apply', '--dry-run', '-f', door.stage.write('typo-server.yaml', allowAll('typo').replace(/servers: .*/, 'servers: [oracel]'))]);
  assert.equal(typo.code, 0);
  assert.match(typo.err, /policy\/typo: no agent fronts a server called oracel; did you mean oracle\?/);
});

test('what is wrong with a YAML file is told by line and column, and line ends are no change', async () => {
  const wrong = (text, ...patterns) => fails(door.cli(['apply', '--dry-run', '-f', door.stage.write('wrong.yaml', text)]), ...patterns);
  const head = 'kind: Policy\nname: x\nspec:\n  principals: [{realm: demo}]\n';
  await wrong(`${head}\tservers: [oracle]\n`, /wrong\.yaml:5:1: a tab in the indentation: YAML takes spaces alone there/);
  await wrong(`${head}  servers: [oracle]\n  servers: [oracle]\n`, /wrong\.yaml:6:3: repeated key "servers" in spec: line 5 has it, too; keep one/);
  await wrong(`${head}  servers: &all [oracle]\n`, /wrong\.yaml:5:12: anchors are not accepted: /);
  await wrong(`${head}  servers: [oracle]\n  session:\n    <<: {max_calls: 1}\n`, /wrong\.yaml:7:5: merge keys are not accepted: /);
  await wrong(`${head}  servers: [oracle]\n  rules: [{allow: {tools: []}}]\n`, /wrong\.yaml:6: spec\.rules\[0\]\.allow\.tools: the list is empty/);
  const text = allowAll('ends');
  await door.apply(text, 'ends.yaml');
  const { code, out } = await door.cli(['apply', '--dry-run', '-f', door.stage.write('ends-crlf.yaml', text.replaceAll('\n', '\r\n'))]);
  assert.deepEqual([code, out], [0, 'policy/ends unchanged (dry run)\n']);
});

test('an unknown command is named, with those that were meant, and a bare noun shows its help', async () => {
  const unknown = async (args, ...patterns) => {
    const { code, err } = await sallyport(args);
    assert.equal(code, 2);
    for (const pattern of patterns) assert.match(err, pattern);
  };
  await unknown(['sesions'], /no command `sesions` of `sallyport`/, /did you mean sessions\?/);
  await unknown(['sessions', 'lst'], /no command `lst` of `sallyport sessions`/, /did you mean list\?/);
  await unknown(['agents', 'token', 'frobnicate', '--name', 'x'], /no command `frobnicate` of `sallyport agents token`/, /Its commands: create/);
  for (const noun of [['policy'], ['sessions'], ['agents', 'token'], []]) await unknown(noun, /Subcommands:/);
});

test('a word that is empty is no word', async () => {
  for (const args of [['sessions', 'show', ''], ['get', 'policy', ''], ['agents', 'ban', ''], ['approvals', 'approve', ''], ['tools', 'forget', 'oracle', '']]) {
    const { code, out, err } = await door.cli(args);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /: (ID|NAME|TOOL) is empty\n$/);
  }
});

test('output that is cut short is a failure', async () => {
  for (const words of ['help', 'explain policy', 'get policy all', 'agents list']) {
    const said = await new Promise((done) => execFile('sh', ['-c', `exec "$0" ${words} > /dev/full`, join(BIN, 'sallyport')], { env: { PATH: process.env.PATH, SALLYPORT_ADDR: door.controlPlane.admin } }, (error, out, err) => done({ code: error?.code, err })));
    assert.equal(said.code, 1, words);
    assert.match(said.err, /the output could not be written whole/);
  }
});

test('help and --version say what one looks for', async () => {
  const { code, out } = await sallyport(['help', 'sessions', 'end']);
  assert.equal(code, 0);
  assert.match(out, /Usage: sallyport sessions end \[OPTIONS\] \[ID\]/);
  assert.match((await sallyport(['help'])).out, /Usage: sallyport \[OPTIONS\][^]*Subcommands:[^]*Exit codes: 0 done/);
  const wrong = await sallyport(['help', 'sessions', 'cut']);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /no command `cut` of `sallyport sessions`/);
  assert.equal((await sallyport(['--version'])).out, 'sallyport 0.1.0\n');
  const agents = await new Promise((done) => execFile(join(BIN, 'sallyport-agent'), ['--version'], (error, out_) => done(out_)));
  assert.equal(agents, 'sallyport-agent 0.1.0\n');
});

test('-o is honoured by every command that has something to print, and refused by the others', async () => {
  assert.equal(JSON.parse((await sallyport(['version', '-o', 'json'])).out).version, '0.1.0');
  assert.match((await sallyport(['version', '-o', 'yaml'])).out, /^version: /);
  const refused = await sallyport(['config', 'check', door.controlPlane.file, '-o', 'json']);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /leave -o out/);
  await door.apply('kind: Lock\nname: gone\nspec: {server: nowhere}\n', 'gone.yaml');
  assert.deepEqual(await door.json(['delete', 'lock', 'gone']), { kind: 'lock', name: 'gone', change: 'deleted' });
});

test('config check of an agent reads what serve would, as it would', async () => {
  const check = (file) => new Promise((done) => execFile(join(BIN, 'sallyport-agent'), ['config', 'check', file], (error, out, err) => done({ code: error ? error.code : 0, out, err })));
  const text = readFileSync(door.agent.file, 'utf8');
  const variant = (name, from, to) => { assert.ok(text.includes(from), from); return door.stage.write(name, text.replaceAll(from, to)); };
  const fine = await check(door.agent.file);
  assert.deepEqual([fine.code, fine.out, fine.err], [0, `${door.agent.file}: ok\n`, '']);

  const other = await check(variant('renamed.yaml', '- name: oracle', '- name: elsewhere'));
  assert.equal(other.code, 0);
  assert.match(other.err, /warning: .*renamed\.yaml: servers: elsewhere: agent agent-a has not enrolled for it/);
  assert.match(other.err, /warning: .*servers: oracle is not there/);

  const bare = door.stage.write('open-credential', 'secret', 0o644);
  chmodSync(bare, 0o644);
  const open = await check(variant('open.yaml', door.stage.path('credential'), bare));
  assert.equal(open.code, 1);
  assert.match(open.err, /servers: (oracle|everything): .*open-credential.*chmod 600/);

  const elsewhere = (join_) => text.replace(`data_dir: ${door.agent.dataDir}`, `data_dir: ${door.stage.path('no-such-data')}`).replace(/join_token_file: [^}]+/, `join_token_file: ${join_}`);
  const fresh = await check(door.stage.write('fresh.yaml', elsewhere(door.stage.path('agent-a.join'))));
  assert.equal(fresh.code, 0, fresh.err);
  const joinless = await check(door.stage.write('joinless.yaml', elsewhere('/no/such/join')));
  assert.equal(joinless.code, 1);
  assert.match(joinless.err, /\/no\/such\/join/);
});

test('a list without entries says so, and is an empty list to a script', async () => {
  const { code, out, err } = await door.cli(['get', 'mask-profile']);
  assert.deepEqual([code, out, err], [0, '', 'no mask-profiles\n']);
  assert.deepEqual(await door.json(['get', 'mask-profile']), { items: [] });
});

test('a filter that names nobody and nothing says so, and one that finds nothing does not', async () => {
  await fails(door.cli(['sessions', 'list', '--server', 'orakle']), /no agent fronts a server called orakle; did you mean oracle\?/);
  await fails(door.cli(['sessions', 'list', '--principal', 'demo:nobody', '--server', 'oracle']), /nobody called demo:nobody has ever had a session/);
  assert.deepEqual(await door.json(['sessions', 'list', '--server', 'oracle', '--state', 'ended']), { items: [] });
});

test('a mask profile that there is not is told with its file and line', async () => {
  const file = door.stage.write('masked.yaml', allowAll('masked').replace(/rules:/, 'mask: [secrets, hose]\n  rules:'));
  await fails(door.cli(['apply', '-f', file]), new RegExp(`${file}:7: Policy masked: mask: "hose" is no detector`));
});

test('apply passes over the tests that lie beside policies, and policy test runs them', async () => {
  mkdirSync(door.stage.path('policies'));
  door.stage.write('policies/one.yaml', allowAll('one'));
  const tests = door.stage.write('policies/two.yaml', `kind: PolicyTest
policies: [one.yaml]
cases:
  - name: the bot may
    principal: {realm: demo, kind: service, client_id: deploy-bot}
    call: {server: wiki, method: tools/call, tool: echo}
    expect: {decision: allow}
  - name: the bot may not
    principal: {realm: demo, kind: service, client_id: deploy-bot}
    call: {server: wiki, method: tools/call, tool: echo}
    expect: {decision: deny}
`);
  const folder = `${door.stage.path('policies')}/`;
  const { code, out, err } = await door.cli(['apply', '-f', folder]);
  assert.equal(code, 0, err);
  assert.equal(out, 'policy/one created\n');
  assert.ok(err.startsWith(`${tests}: a PolicyTest, not applied`), err);
  await door.cli(['delete', 'policy', 'one']);
  await fails(door.cli(['apply', '-f', tests]).then((run) => ({ ...run, err: run.err.replace(/^.*not applied.*\n/, '') })), /nothing to apply/);
  const ran = await sallyport(['policy', 'test', tests, '-o', 'json']);
  assert.equal(ran.code, 1);
  const { items, passed, failed } = JSON.parse(ran.out);
  assert.deepEqual([passed, failed, items.map((item) => item.passed)], [1, 1, [true, false]]);
  const ofFolder = await sallyport(['policy', 'test', folder, '-o', 'json']);
  assert.equal(ofFolder.code, 1);
  assert.deepEqual(JSON.parse(ofFolder.out).items.map(({ file }) => file), [tests, tests]);
  mkdirSync(door.stage.path('empty'));
  await fails(sallyport(['policy', 'test', door.stage.path('empty')]), /no \.yaml file in/);
  const broken = door.stage.write('policies/broken.yaml', 'kind: [\n');
  await fails(sallyport(['policy', 'test', folder]), /broken\.yaml/);
  rmSync(broken);
});

test('a session that is approved, verified while open, and ended twice', async () => {
  await door.session('oracle', token).then(() => assert.fail('opened without approval'), () => undefined);
  const approval = await until('an approval', async () => (await door.json(['approvals', 'list'], alice)).items[0]);
  const approved = await door.cli(['approvals', 'approve', approval.id], alice);
  assert.equal(approved.out, `${approval.id} approved; session ${approval.sessionId} is open\n`);
  const mcp = await door.session('oracle', token);
  await mcp.call('tools/list');
  const id = approval.sessionId;

  const open = await until('records', async () => {
    const { code, out } = await door.cli(['sessions', 'verify', id, '-o', 'json']);
    const verdict = JSON.parse(out);
    return verdict.records > 1 && { code, ...verdict };
  });
  assert.deepEqual([open.code, open.valid, open.isOpen], [0, true, true]);
  assert.match((await door.cli(['sessions', 'verify', id])).out, /OPEN, valid so far, \d+ records: the session is active/);

  const first = await door.cli(['sessions', 'end', id, '--reason', 'drill']);
  assert.match(first.out, new RegExp(`^${id} ended\nlocked until`));
  const again = await door.cli(['sessions', 'end', id, '--reason', 'again', '--for', '1h']);
  assert.equal(again.code, 0);
  assert.match(again.out, new RegExp(`^${id} was over already: ended \\(revoked\\) at 20.*: drill\nlocked until .sallyport delete lock end-${id}.\n--for changes nothing of a lock`));
  assert.match((await door.cli(['get', 'lock'])).out, new RegExp(`^NAME +SHUTS .* REASON\n(.*\n)*end-${id} +server oracle, demo:deploy-bot .* drill\n`));
  assert.equal((await door.json(['sessions', 'end', id])).hadEnded, true);
  await door.cli(['delete', 'lock', `end-${id}`]);

  const whole = await until('the END record', () => door.isWhole(id));
  const replayed = await door.cli(['sessions', 'replay', id, '-o', 'yaml'], dora);
  assert.match(replayed.out, /^items:\n- sessionId: ses_/);
  assert.equal(replayed.out.match(/^- sessionId: /gm).length, whole.records);
  const file = door.stage.write('saved.json', (await door.cli(['sessions', 'replay', id, '-o', 'json'], dora)).out);
  assert.equal((await sallyport(['sessions', 'verify', file])).code, 0);
  const rewritten = door.stage.write('rewritten.json', JSON.stringify(JSON.parse(readFileSync(file, 'utf8')), null, 2));
  assert.equal((await sallyport(['sessions', 'verify', rewritten])).code, 0, 'a program whose numbers are doubles has written it again');
  const edited = door.stage.write('edited.json', readFileSync(file, 'utf8').replace('"method":"tools/list"', '"method":"tools/gone"'));
  const told = await sallyport(['sessions', 'verify', edited]);
  assert.equal(told.code, 1);
  assert.match(told.out, /NOT valid, .*not what its payload says/);
  await fails(sallyport(['sessions', 'verify', '/no/such/file.json']), /\/no\/such\/file\.json/);
  const piped = (input) => spawnSync(join(BIN, 'sallyport'), ['sessions', 'verify', '-'], { input, env: { PATH: process.env.PATH } });
  assert.match(String(piped(readFileSync(file)).stdout), new RegExp(`^${id} valid, ${whole.records} records`));
  const nothing = piped('');
  assert.equal(nothing.status, 1);
  assert.match(String(nothing.stderr), /standard input: /);
});
