// What a measurement stands on: the machine's facts, who runs on which core, what the cores were busy with.
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, release } from 'node:os';

// The core of what is measured, and that of everything around it.
export const PATH_CORE = 0;
export const LOAD_CORE = 1;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
export const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

export function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
  });
}

const firstLine = (command, args) => {
  const words = execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin; ${command} ${args} 2>&1 || true`]).toString();
  return words.split('\n')[0].replace(/ (\[|- https|Copyright).*/, '').trim();
};
export function machineFacts() {
  return {
    cpu: cpus()[0].model, cores: cpus().length, memoryMiB: Number(/MemTotal:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))[1]) >> 10, kernel: release(),
    versions: { sallyport: firstLine('git', 'rev-parse --short HEAD'), nginx: firstLine('nginx', '-v'), haproxy: firstLine('haproxy', '-v'), wrk: firstLine('wrk', '-v'), node: process.version },
    load: readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' '),
  };
}

// All threads of a process; or, with `rest`, its first thread alone on `core` and all others on `rest`. What they start later goes where
// the starting thread is.
export function pin(pid, core, rest = core) {
  // It stops at a thread that ends meanwhile.
  const pinAll = () => spawnSync('taskset', ['-a', '-p', '-c', String(rest), String(pid)], { stdio: 'ignore' }).status === 0;
  if (![1, 2, 3, 4].some(pinAll)) throw new Error(`process ${pid} cannot be moved to core ${rest}`);
  if (rest !== core) execFileSync('taskset', ['-p', '-c', String(core), String(pid)], { stdio: 'ignore' });
}

export const childrenOf = (pid) => readdirSync(`/proc/${pid}/task`)
  .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ')).filter(Boolean).map(Number);
export const descendantsOf = (pid) => childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);

const TICKS = Number(execFileSync('getconf', ['CLK_TCK']));
// Seconds of processor time of a thread, or of a process with all its threads.
function processorSeconds(stat) {
  const fields = readFileSync(stat, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}
export const processSeconds = (pid) => processorSeconds(`/proc/${pid}/stat`);
export const firstThreadSeconds = (pid) => processorSeconds(`/proc/${pid}/task/${pid}/stat`);

function coreTimes(core) {
  const line = readFileSync('/proc/stat', 'utf8').split('\n').find((text) => text.startsWith(`cpu${core} `));
  const times = line.split(/\s+/).slice(1, 9).map(Number);
  return { idle: times[3] + times[4], all: times.reduce((sum, time) => sum + time, 0) };
}
// Call the result to learn what share of its time each core was busy since.
export function watchCores() {
  const before = [PATH_CORE, LOAD_CORE].map(coreTimes);
  return () => [PATH_CORE, LOAD_CORE].map(coreTimes).map((now, i) => 1 - (now.idle - before[i].idle) / Math.max(1, now.all - before[i].all));
}

// Resident and, where this user may ask, proportional set size, in bytes.
export function memoryOf(pid) {
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  try {
    return { rss, pss: Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024 };
  } catch { return { rss }; }
}
