// What an administrator does with policies: compare, apply, go back, simulate, suggest, explain. And what a live session sees of it.
import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { Deployment, until } from './deployment.mjs';

let door, token, alice, dora;
const policy = (tools, more = '') => `kind: Policy
name: bots
spec:
  principals: [{realm: demo, client_ids: [deploy-bot]}]
  servers: [oracle, everything]
  session: {max_duration: 10m}
  rules:
    - allow: {tools: [${tools}], methods: ["*"]}
${more}`;
before(async () => {
  door = await Deployment.start({ policy: policy('echo, get-sum') });
  token = await door.token();
  alice = await door.person('alice');
  dora = await door.person('dora');
});
after(() => door?.close());

const refused = async (running, ...patterns) => {
  const { code, err } = await running;
  assert.equal(code, 1, err);
  for (const pattern of patterns) assert.match(err, pattern);
};
const out = async (args, as) => {
  const run = await door.cli(args, as);
  assert.equal(run.code, 0, run.err);
  return run.out;
};
const write = (name, text) => door.stage.write(name, text);

test('a dry run shows the difference of a whole folder and changes nothing', async () => {
  mkdirSync(door.stage.path('folder'));
  write('folder/a.yaml', policy('echo, get-sum', '    - deny: {tools: [drop]}\n'));
  write('folder/b.yaml', 'kind: MaskProfile\nname: house\nspec: {detectors: [secrets]}\n');
  const dry = await out(['apply', '-f', door.stage.path('folder'), '--dry-run']);
  assert.match(dry, /^--- policy\/bots version 1\n\+\+\+ policy\/bots version 2\n@@ /);
  assert.match(dry, /\n\+ {4}- deny: \{tools: \[drop\]\}\npolicy\/bots changed \(version 2\) \(dry run\)\n/);
  assert.match(dry, /\n--- \/dev\/null\n\+\+\+ mask-profile\/house version 1\n/);
  assert.match(dry, /mask-profile\/house created \(dry run\)\n$/);
  const { documents } = await door.json(['apply', '-f', door.stage.path('folder'), '--dry-run']);
  assert.deepEqual(documents.map(({ name, change, version, previousVersion }) => [name, change, version, previousVersion]), [['bots', 'changed', 2, 1], ['house', 'created', 1, 0]]);
  assert.equal((await door.json(['get', 'policy', 'bots'])).version, 1);
  await refused(door.cli(['get', 'mask-profile', 'house']), /mask-profile\/house does not exist/);
});

test('one document that is no good keeps the folder out', async () => {
  write('folder/c.yaml', 'kind: Lock\nname: c\nspec: {sever: x}\n');
  await refused(door.cli(['apply', '-f', door.stage.path('folder')]), /c\.yaml:3: unknown key "sever"/);
  assert.equal((await door.json(['get', 'policy', 'bots'])).version, 1);
});

test('who edits what another has changed meanwhile is refused, and told by whom', async () => {
  const seen = await out(['get', 'policy', 'bots']);
  assert.match(seen, /^# policy\/bots version 1 \(apply refuses/);
  await door.apply(policy('echo, get-sum', '    - deny: {tools: [drop]}\n'));
  const edited = write('edited.yaml', seen.replace('get-sum', 'get-env'));
  await refused(door.cli(['apply', '-f', edited]), /policy\/bots: was changed meanwhile: it was made from version 1, and version 2 is in force, by local:uid=/, /sallyport get/);
  await refused(door.cli(['apply', '-f', write('plain.yaml', policy('echo')), '--base-version', '1']), /version 2 is in force/);
  await refused(door.cli(['delete', 'policy', 'bots', '--base-version', '1']), /version 2 is in force/);
  // Fetched again, it can be applied, and what comes back is what went in.
  const again = (await out(['get', 'policy', 'bots'])).replace('get-sum', 'get-sum, get-env');
  assert.equal(await out(['apply', '-f', write('edited.yaml', again)]), 'policy/bots changed (version 3)\n');
  const stored = (await door.json(['get', 'policy', 'bots'])).source;
  assert.equal(stored, again.slice(again.indexOf('\n') + 1));
});

test('versions are listed and shown, and rollback makes one more of an old one', async () => {
  const rows = (await out(['get', 'policy', 'bots', '--history'])).trimEnd().split('\n');
  assert.match(rows[0], /^VERSION +CHANGE +AT +BY +IN FORCE$/);
  assert.match(rows[1], /^3 +applied +\d{4}-.*Z +local:uid=\d+ +yes$/);
  assert.equal(rows.length, 4);
  assert.equal(await out(['get', 'policy', 'bots', '--version', '1']), policy('echo, get-sum'));
  assert.match(await out(['policy', 'rollback', 'bots', '--to', '1', '--dry-run']), /\n- {4}- deny: \{tools: \[drop\]\}\n/);
  assert.match(await out(['policy', 'rollback', 'bots', '--to', '1']), /^policy\/bots changed \(version 4\)\nrestored from version 1\n$/);
  const { items } = await door.json(['get', 'policy', 'bots', '--history']);
  assert.deepEqual([items[0].version, items[0].change, items[0].restoredFrom, items[0].isInForce], [4, 'restored', 1, true]);
  await refused(door.cli(['policy', 'rollback', 'bots', '--to', '9']), /policy\/bots version 9 does not exist/);
  await refused(door.cli(['policy', 'rollback', 'bots'], alice), /role admin/);
});

let session;
test('a live session sees a new version with its next call, and needs no new session for it', async () => {
  session = await door.session('oracle', token);
  const sum = () => session.call('tools/call', { name: 'get-sum', arguments: { a: 1, b: 2 } });
  const passes = async () => { const { message } = await sum(); return message?.result && !message.result.isError; };
  assert.ok(await passes());
  await door.apply(policy('echo'));
  await until('the next call is refused', async () => !(await passes()), { everyMs: 20 });
  await out(['policy', 'rollback', 'bots']);
  await until('the next call passes', passes, { everyMs: 20 });
  const { items } = await door.json(['sessions', 'list']);
  assert.equal(items.length, 1);
});

test('simulate tells what would have been decided otherwise, to people of a role alone', async () => {
  for (const text of ['one', 'two']) await session.call('tools/call', { name: 'echo', arguments: { message: text } });
  const { id } = (await door.json(['sessions', 'list'])).items[0];
  await until('the records have come', async () => (await door.json(['sessions', 'show', id])).calls >= 4);
  const file = write('narrow.yaml', policy('get-sum', '    - allow: {tools: [echo], when: [{path: /message, in: [one]}]}\n'));
  const args = ['policy', 'simulate', '-f', file, '--since', '1h'];
  const { items, summary } = await door.json(args, dora);
  const changed = items.filter((item) => item.target === 'echo');
  assert.equal(changed.length, 1);
  assert.deepEqual([changed[0].was.decision, changed[0].wouldBe.decision, changed[0].wouldBe.reason], ['allow', 'deny', 'condition_failed']);
  assert.equal(changed[0].principal.split(':').slice(0, 2).join(':'), 'service:demo');
  assert.equal(summary.calls, summary.changed + summary.unchanged + summary.undecided + summary.passedOver);
  assert.match(await out(args, dora), /allow +deny \(condition_failed\) +oracle +tools\/call +echo .* 1 +ses_\w+ #\d+\n/);
  await refused(door.cli([...args, '--server', 'elsewhere'], dora), /no agent fronts a server called elsewhere/);
  await refused(door.cli(args), /admin socket does not serve this/);
  await refused(door.cli(args, alice), /role_missing/);
  assert.equal((await door.cli([...args, '--since', 'yesterday'], dora)).code, 2);
});

test('suggest writes what was done and no more; it can be applied, tested, and lets it through again', async () => {
  const run = await door.cli(['policy', 'suggest', '--principal', 'demo:deploy-bot', '--since', '1h'], dora);
  assert.equal(run.code, 0, run.err);
  assert.match(run.err, /covers (\d+) of \1 recorded calls/);
  const file = write('suggested.yaml', run.out);
  assert.match(run.out, /^# What service:demo:\S+ did on oracle: \d+ calls in 1 sessions\.\nkind: Policy\nname: suggested-deploy-bot-oracle-[0-9a-f]{12}\n/);
  assert.ok(!run.out.includes('get-env'), run.out);
  // Alone, it decides all that passed as it was decided.
  const { items } = await door.json(['policy', 'simulate', '-f', file, '--alone', '--since', '1h'], dora);
  assert.deepEqual(items.filter((item) => item.was.decision === 'allow'), []);
  const tests = write('suggested-test.yaml', `kind: PolicyTest
policies: [suggested.yaml]
cases:
  - name: what it did
    principal: {realm: demo, kind: service, subject: ${JSON.stringify((await door.json(['sessions', 'list'])).items[0].principal.subject)}, client_id: deploy-bot}
    call: {server: oracle, method: tools/call, tool: echo}
    expect: {decision: allow}
  - name: what it did not
    principal: {realm: demo, kind: service, client_id: deploy-bot}
    call: {server: oracle, method: tools/call, tool: get-env}
    expect: {decision: deny}
`);
  assert.match(await out(['policy', 'test', tests]), /2 passed, 0 failed/);
  assert.match(await out(['apply', '-f', file]), /^policy\/suggested-deploy-bot-oracle-[0-9a-f]{12} created\n$/);
  await out(['delete', 'policy', 'bots']);
  await until('echo passes by the suggestion', async () => (await session.call('tools/call', { name: 'echo', arguments: { message: 'x' } })).message?.result, { everyMs: 20 });
  const other = await session.call('tools/call', { name: 'get-env', arguments: {} });
  assert.ok(other.message.error, JSON.stringify(other.message));
  await out(['policy', 'rollback', 'bots']);
  await refused(door.cli(['policy', 'suggest', '--principal', 'demo:nobody'], dora), /nobody called demo:nobody has ever had a session/);
  await refused(door.cli(['policy', 'suggest', '--principal', 'demo:deploy-bot']), /admin socket/);
});

test('a policy on trial lets through and records what it would have refused, until its time is over', async () => {
  const over = new Date(Date.now() + 8000).toISOString().replace(/\.\d+Z$/, 'Z');
  await door.apply(`kind: Policy
name: trial
spec:
  principals: [{realm: demo, client_ids: [second-bot]}]
  servers: [oracle]
  observe_until: ${over}
  session: {approval: {approvers: ["demo:approvers"]}}
  rules:
    - allow: {tools: [echo]}
    - deny: {tools: [get-sum]}
`, 'trial.yaml');
  const bot = await door.session('oracle', await door.token('second-bot'));
  const call = () => bot.call('tools/call', { name: 'get-sum', arguments: { a: 1, b: 2 } });
  assert.equal((await call()).message.result.content[0].text, 'The sum of 1 and 2 is 3.');
  const { id } = (await door.json(['sessions', 'list'])).items.find((item) => item.principal.clientId === 'second-bot');
  assert.deepEqual((await door.json(['sessions', 'show', id])).observed, { reason: 'approval_pending', policy: 'trial' });
  assert.match(await out(['sessions', 'show', id]), /^observed +approval_pending by policy trial, which lets it through$/m);
  await until('the record tells of it', async () => /tools\/call get-sum .* observed=policy_denied {2}by=trial/.test(await out(['sessions', 'replay', id], dora)));
  // It asks for an approval from then on, which the session has not had.
  const ended = await until('the trial is over', async () => { const { status, message } = await call(); return status === 404 && message; });
  assert.ok(Date.now() >= Date.parse(over));
  assert.equal(ended.reason, 'session_ended');
  assert.match(ended.message, /ask for an approval that the session has not had; initialize again/);
  await out(['delete', 'policy', 'trial']);
});

test('policy explain says which rule decides, and what would change that', async () => {
  const claims = JSON.stringify({ iss: door.issuer.url, aud: 'api://sallyport', sub: 'x', client_id: 'deploy-bot', scope: 'mcp.use' });
  const answer = await door.json(['policy', 'explain', '--server', 'oracle', '--tool', 'echo', '--claims', claims]);
  assert.deepEqual([answer.opening.decision, answer.call.decision, answer.call.policy, answer.call.rule], ['allow', 'allow', 'bots', 0]);
  const denied = await out(['policy', 'explain', '--server', 'oracle', '--tool', 'drop', '--args', '{"a":1}', '--token', token]);
  assert.match(denied, /^principal: service:demo:.*\n[^]*\ncall: deny \(policy_denied\)\n/);
  assert.match(denied, /\n {2}to change +\S/);
  assert.doesNotMatch(denied, /to change .*: deny/);
  const asked = (...words) => door.cli(['policy', 'explain', '--server', 'oracle', '--claims', claims, ...words]);
  await refused(asked('--server-request', 'samplig'), /cannot ask for "samplig": expected one of sampling, elicitation, roots; did you mean sampling\?/);
  await refused(asked('--method', 'tools/call'), /tools\/call needs the tool/);
  const bad = await asked('--tool', 'echo', '--args', '{bad');
  assert.equal(bad.code, 2);
  assert.match(bad.err, /--args: no JSON object: character 2/);
  const mistyped = await door.cli(['policy', 'explain', '--server', 'oracel', '--method', 'tools/lst', '--claims', claims]);
  assert.match(mistyped.err, /no agent fronts a server called oracel; did you mean oracle\?\n.*MCP has no method tools\/lst of a client; did you mean tools\/list\?\n/);
  const claimed = ['--server', 'nowhere', '--claims', claims];
  assert.deepEqual((await door.json(['policy', 'explain', '--server', 'oracle', '--claims', claims])).opening.obstacles ?? [], []);
  await door.apply('kind: Policy\nname: nowhere\nspec: {principals: [{realm: demo, client_ids: [deploy-bot]}], servers: [nowhere]}\n', 'nowhere.yaml');
  const nowhere = await out(['policy', 'explain', ...claimed]);
  assert.match(nowhere, /\nopening: allow\n {2}but +server_unknown: no agent in service fronts the server/);
  await out(['delete', 'policy', 'nowhere']);
  assert.equal((await door.cli(['policy', 'explain', '--server', 'oracle'])).code, 2);
  await refused(door.cli(['policy', 'explain', '--server', 'oracle', '--token', 'a.b.c']), /an agent would refuse the token: token_invalid/);
  await refused(door.cli(['policy', 'explain', '--server', 'oracle', '--claims', claims], alice), /role_missing/);
});

test('policy explain counts what the agent has let through: what is done once, and the objects touched', async () => {
  await door.apply(policy('get-sum', '    - allow: {tools: [echo], once: {by: [/message, /n], within: 1h}, limit: {count: /items, per_window: 3}}\n'));
  const own = await door.session('oracle', token);
  const call = (args) => own.call('tools/call', { name: 'echo', arguments: args });
  // As a client spells it, which is not how explain is asked below.
  const { message } = await call({ items: ['a', 'b'], n: 1.5, message: 'p\u00e9' });
  assert.ok(message.result && !message.result.isError, JSON.stringify(message));
  const says = async (args) => (await door.json(['policy', 'explain', '--server', 'oracle', '--tool', 'echo', '--args', args, '--token', token])).call;
  const texts = ({ decision, obstacles }) => [decision, ...obstacles.map(({ reason }) => reason)];
  assert.deepEqual(texts(await says('{"message": "p\\u00e9", "n": 15e-1, "items": ["c"]}')), ['allow', 'already_done']);
  assert.deepEqual(texts(await says('{"message": "other", "n": 1.5, "items": ["c"]}')), ['allow']);
  assert.deepEqual(texts(await says('{"message": "other", "n": 1.5, "items": ["c", "d"]}')), ['allow', 'limit_exceeded']);
  // And the agent refuses what explain says it does.
  const again = (await call({ message: 'p\u00e9', n: 1.5, items: ['c'] })).message;
  assert.equal(again.result._meta.reason, 'already_done', JSON.stringify(again));
  await door.apply(policy('echo'));
});

test('explain shows the manual, key by key', async () => {
  const text = await out(['explain', 'policy.spec.session']);
  assert.match(text, /^policy\.spec\.session <object>\n/);
  assert.match(text, /\n {2}max_duration <duration>\n {4}From activation\. Unset: 1h\. At most 24h\.\n/);
  const page = await door.json(['explain', 'controlplane.issuers']);
  assert.ok(page.keys.find(({ name }) => name === 'audiences').description);
  assert.match(await out(['explain', 'lock', '--recursive']), /\n {2}principal <object>\n {4}realm <string> required\n/);
  assert.match(await out(['explain']), /^policy\n/);
  await refused(door.cli(['explain', 'policy.spec.sesion']), /did you mean session\?/);
});

test('token explain says what a token is taken for, and which policies name it', async () => {
  const bot = await door.json(['token', 'explain', token]);
  assert.equal(bot.agents.isAccepted, true);
  assert.equal(bot.agents.principal.clientId, 'deploy-bot');
  assert.deepEqual(bot.policies.map(({ policy: name }) => name.replace(/-[0-9a-f]{12}$/, '')).sort(), ['bots', 'suggested-deploy-bot-oracle']);
  const now = Math.floor(Date.now() / 1000);
  const minted = await door.mint({ payload: { iss: door.issuer.url, aud: 'api://sallyport-admin', sub: 'dora', uid: 'dora', groups: ['platform-admins', 'auditors'], client_id: 'sallyport-cli', iat: now, exp: now + 600, jti: 'one' } });
  const person = await out(['token', 'explain', minted]);
  assert.match(person, /people's API: accepted\n[^]* roles +admin auditor\n/);
  assert.match(person, /agents: refused \(token_invalid\)\n {2}because +aud is for nobody here; the token is for api:\/\/sallyport-admin, and what is taken here is api:\/\/sallyport, or an agent's own URL\n/);
  assert.match(await out(['token', 'explain', 'a.b.c']), /people's API: refused \(token_invalid\)/);
  await refused(door.cli(['token', 'explain', token], alice), /role_missing/);
  for (const needle of [token, minted]) assert.ok(!door.controlPlane.log.join('\n').includes(needle.split('.')[2]));
});

test('issuers check asks them now, and says what is wrong', async () => {
  assert.match(await out(['issuers', 'check']), /^ID +REALM +STATE +KEYS +AGE .*\ndemo +demo +ok +[1-9]/);
  const { items } = await door.json(['issuers', 'check', 'demo']);
  assert.ok(items[0].keysFrom.startsWith(door.issuer.url), items[0].keysFrom);
  await refused(door.cli(['issuers', 'check', 'other']), /no issuer entry other/);
});
