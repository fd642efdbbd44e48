// Starts the pieces of a deployment as real processes on this machine, each on a port of its own, and ends all of them. For the
// quickstart and the end-to-end tests.
import { spawn, execFile } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, chmodSync, rmSync, cpSync, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { tmpdir, userInfo } from 'node:os';
import { join, dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { signIn } from './tokens.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const run = promisify(execFile);
export const isRoot = userInfo().uid === 0;

// A directory and the processes that live in it.
export class Stage {
  constructor(binDir, { keepLogs = false } = {}) {
    this.bin = resolve(binDir);
    this.dir = mkdtempSync(join(tmpdir(), 'sallyport-'));
    chmodSync(this.dir, 0o755);
    mkdirSync(join(this.dir, 'people'), { mode: 0o700 });
    this.children = [];
    this.keepLogs = keepLogs;
  }

  path(...parts) { return join(this.dir, ...parts); }

  write(name, text, mode = 0o600) {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { mode });
    return path;
  }

  // Starts a program; resolves with {child, ready, log} once a line of its output satisfies `isReady`, rejects with its output if it
  // ends first.
  start(name, command, args, { env = {}, isReady, stream = 'stderr', waitMs = 20000 } = {}) {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    child.title = name;
    this.children.push(child);
    const log = [];
    return new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`${name} did not start within ${waitMs / 1000} s:\n${log.slice(-20).join('\n')}`)), waitMs);
      for (const source of ['stdout', 'stderr']) {
        createInterface({ input: child[source] }).on('line', (line) => {
          log.push(line);
          if (source !== stream) return;
          let ready;
          try { ready = isReady(line); } catch { return; }
          if (ready) { clearTimeout(timer); done({ child, ready, log, name }); }
        });
      }
      child.on('error', (error) => { clearTimeout(timer); fail(new Error(`${name}: ${error.message}`)); });
      child.on('exit', (code, signal) => { clearTimeout(timer); fail(new Error(`${name} ended (${signal ?? code}) before it was ready:\n${log.slice(-20).join('\n')}`)); });
    });
  }

  async stop(process_, signal = 'SIGTERM') {
    const child = process_.child ?? process_;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((done) => child.on('exit', done));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
    await gone;
    clearTimeout(timer);
  }

  async close() {
    for (const child of [...this.children].reverse()) await this.stop(child).catch(() => {});
    if (!this.keepLogs) rmSync(this.dir, { recursive: true, force: true });
  }

  async issuer({ tls, port = 0, tokenSeconds = 3600 } = {}) {
    const args = [join(here, 'idp.mjs'), '--port', String(port), '--token-seconds', String(tokenSeconds)];
    if (tls) args.push('--tls-cert', tls.cert, '--tls-key', tls.key);
    const started = await this.start('issuer', process.execPath, args, { stream: 'stdout', isReady: (line) => JSON.parse(line).issuer });
    return { ...started, url: started.ready };
  }

  // `config` is the text of controlplane.yaml with data_dir, listen and local_listen left out.
  async controlPlane(config, name = 'controlplane') {
    const dataDir = this.path(name);
    const file = this.write(`${name}.yaml`, `listen: 127.0.0.1:0\nlocal_listen: 127.0.0.1:0\ndata_dir: ${dataDir}\n${config}`);
    const started = await this.start('control plane', join(this.bin, 'sallyport'), ['serve', '--config', file], { isReady: readyLine });
    return { ...started, file, dataDir, api: started.ready.listen.api, admin: started.ready.listen.admin, ca: join(dataDir, 'ca.pem') };
  }

  async agent(name, config, joinToken) {
    const join_ = this.write(`${name}.join`, joinToken);
    const dataDir = this.path(name);
    const file = this.write(`${name}.yaml`, `control_plane: {join_token_file: ${join_}}\nlocal_listen: 127.0.0.1:0\ndata_dir: ${dataDir}\n${config}`);
    const started = await this.start(`agent ${name}`, join(this.bin, 'sallyport-agent'), ['serve', '--config', file], { isReady: readyLine });
    return { ...started, file, dataDir, mcp: started.ready.listen.mcp };
  }

  // Starts a control plane or an agent again with the configuration and data it had.
  async restart(process_) {
    const program = process_.name === 'control plane' ? 'sallyport' : 'sallyport-agent';
    const started = await this.start(process_.name, join(this.bin, program), ['serve', '--config', process_.file], { isReady: readyLine });
    return { ...process_, ...started, api: started.ready.listen.api, admin: started.ready.listen.admin, mcp: started.ready.listen.mcp };
  }

  // The command line: {code, out, err}. `as` is {token} or {home} for a person, nothing for the admin socket of `controlPlane`.
  async cli(controlPlane, args, { token, home } = {}) {
    const env = { ...process.env, XDG_CONFIG_HOME: home ?? this.path('nobody'), SALLYPORT_ADDR: controlPlane.admin, SALLYPORT_TOKEN: '' };
    if (token || home) Object.assign(env, { SALLYPORT_ADDR: controlPlane.api, SALLYPORT_CA_FILE: controlPlane.ca });
    if (token) env.SALLYPORT_TOKEN = token;
    else delete env.SALLYPORT_TOKEN;
    try {
      const { stdout, stderr } = await run(join(this.bin, 'sallyport'), args, { env, maxBuffer: 1 << 26, timeout: 60000 });
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      if (typeof error.code !== 'number') throw error;
      return { code: error.code, out: error.stdout, err: error.stderr };
    }
  }

  async json(controlPlane, args, as) {
    const { code, out, err } = await this.cli(controlPlane, [...args, '-o', 'json'], as);
    if (code !== 0) throw new Error(`sallyport ${args.join(' ')}: ${err || out}`);
    return JSON.parse(out);
  }

  // Signs `user` in as `sallyport login` does, with a browser's part played here. Gives what `cli` takes as its `as`.
  async login(controlPlane, issuerUrl, user, resource, extra = []) {
    const home = this.path('people', user);
    mkdirSync(home, { recursive: true, mode: 0o700 });
    const env = { ...process.env, XDG_CONFIG_HOME: home, SALLYPORT_ADDR: controlPlane.api, SALLYPORT_CA_FILE: controlPlane.ca };
    delete env.SALLYPORT_TOKEN;
    const child = spawn(join(this.bin, 'sallyport'), ['login', '--no-browser', '--issuer', issuerUrl, '--client-id', 'sallyport-cli', '--resource', resource, ...extra], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '', visited = false;
    const code = await new Promise((done, fail) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.on('data', (data) => {
          output += data;
          const url = /https?:\/\/\S+[?&]code_challenge=\S+/.exec(output)?.[0];
          if (url && !visited && /\s$/.test(output)) { visited = true; signIn(url, user).catch(fail); }
        });
      }
      child.on('exit', done);
    });
    if (code !== 0) throw new Error(`sallyport login as ${user}: ${output}`);
    return { home };
  }

  // Where a stdio server that runs as another user can read its program: the npm packages themselves, or a copy when the checkout is
  // out of that user's reach.
  async nodePackages() {
    const packages = join(here, 'node_modules');
    if (!isRoot) return packages;
    try {
      await run('setpriv', ['--reuid=nobody', '--regid=nogroup', '--clear-groups', 'test', '-r', join(packages, '@modelcontextprotocol/server-everything/dist/index.js')]);
      return packages;
    } catch {
      const copy = this.path('node_modules');
      if (!existsSync(copy)) cpSync(packages, copy, { recursive: true, verbatimSymlinks: true });
      return copy;
    }
  }
}

function readyLine(line) {
  const event = JSON.parse(line);
  return event.event === 'ready' ? event : undefined;
}


