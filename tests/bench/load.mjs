// The load generators.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { firstThreadSeconds, LOAD_CORE, processSeconds, watchCores } from './machine.mjs';
import { difference, metricsOf, watchBacklog } from './metrics.mjs';

// As latencies.h.
export const PERCENTILES = [1, 5, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100];

const WRK_SCRIPT = (requests) => `
local file = io.open("${requests}", "rb")
local requests, n = {}, 0
for request in file:read("*a"):gmatch("[^%z]+") do requests[#requests + 1] = request end
file:close()
function request() n = n % #requests + 1 return requests[n] end
function done(summary, latency)
  local points = {}
  for _, p in ipairs({${PERCENTILES.slice(0, -1).join(',')}}) do points[#points + 1] = string.format("[%g,%d]", p, latency:percentile(p)) end
  points[#points + 1] = string.format("[100,%d]", latency.max)
  local errors = summary.errors
  io.write(string.format('RESULT {"calls":%d,"rate":%f,"errors":%d,"latency":[%s]}\\n', summary.requests, summary.requests / summary.duration * 1e6,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status, table.concat(points, ",")))
end
`;

// Runs a program, on the load's core unless another is named, and gives the JSON it prints behind `mark`.
export function measured(command, args, mark = '', core = LOAD_CORE) {
  return new Promise((done, fail) => {
    const child = spawn('taskset', ['-c', String(core), command, ...args]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => { output += data; });
    child.on('close', () => {
      try { done(JSON.parse(output.slice(output.indexOf(`${mark}{`) + mark.length))); } catch { fail(new Error(`${command}: ${output || 'printed nothing'}`)); }
    });
  });
}

// As many calls as go through `connections` that each wait for their answer. {calls, rate, errors, latency}
export function wrk(bed, contender, connections, seconds, core = LOAD_CORE) {
  const script = bed.stage.write('wrk.lua', WRK_SCRIPT(contender.requests));
  return measured('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', script, `http://127.0.0.1:${contender.port}${contender.path}`], 'RESULT ', core);
}

// A rate that is held. Likewise.
export const paced = (bed, contender, connections, rate, seconds) =>
  measured(join(bed.stage.bin, 'paced_client'), [String(contender.port), contender.requests, String(connections), rate.toFixed(3), String(seconds)]);

// What `load` gives, and what went on meanwhile: how busy each core was, processor time per call of the contender and of its first thread,
// an agent's backlog and what else it counted.
export async function observed(contender, load) {
  const { pid, agent } = contender;
  contender.prepare?.();
  await contender.warm?.();
  const backlog = agent && watchBacklog(agent);
  const counted = agent && await metricsOf(agent);
  const cores = watchCores();
  const before = pid && [processSeconds(pid), firstThreadSeconds(pid)];
  const sample = await load();
  sample.busy = cores();
  if (pid) {
    sample.cpuMicros = (processSeconds(pid) - before[0]) / sample.calls * 1e6;
    sample.pathMicros = (firstThreadSeconds(pid) - before[1]) / sample.calls * 1e6;
  }
  if (agent) {
    sample.backlog = await backlog();
    sample.counted = difference(counted, await metricsOf(agent));
  }
  return sample;
}

export const percentile = (latency, p) => latency.find(([at]) => at === p)?.[1];
