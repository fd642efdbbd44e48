// Calls through the path, with records that survive the machine's power; and what that costs on this disk.
import { join } from 'node:path';
import { throughAgent } from '../bed.mjs';
import { measured, percentile } from '../load.mjs';
import { LOAD_CORE, PATH_CORE } from '../machine.mjs';
import { quantile } from '../metrics.mjs';
import { micros, report } from '../report.mjs';
import { panelsOf, rounds, rowsOf } from './path.mjs';

const CONNECTIONS = [8, 32, 128];

export async function run({ bed, facts, number, progress }) {
  const seconds = number('seconds', 4);
  const one = [{ client: 'bench-one', token: await bed.issuer.mint('bench-one') }];
  const agent = await bed.agent('power', { durability: 'power' });
  const sessions = await bed.openSessions(agent, one);
  const contenders = [bed.direct(), await bed.nginx(), throughAgent('sallyport, power', agent, LOAD_CORE)];
  for (const contender of contenders) contender.requests = bed.requests(contender.name, contender, one, sessions);
  const samples = await rounds({ bed, contenders, connections: CONNECTIONS, count: facts.rounds, seconds, progress });

  const rows = rowsOf(samples, CONNECTIONS, contenders);
  const parts = [];
  for (const row of rows.filter(({ shown }) => shown.contender === 'sallyport, power')) {
    const last = samples[row.shown.connections][row.shown.contender].at(-1);
    const bytes = Math.max(512, Math.round(last.counted.sallyport_agent_commit_bytes_total / last.counted.sallyport_agent_commit_seconds.count));
    const disk = await measured(join(bed.stage.bin, 'disk_writes'), [bed.stage.dir, String(bytes), String(Math.min(seconds, 5))]);
    row.kept = { ...row.kept, disk: { bytes, ...disk }, parts: partsOf(last) };
    const [p50, p99] = [50, 99].map((p) => micros(percentile(disk.latency, p)));
    row.shown['disk p50, p99'] = `${p50}, ${p99}`;
    parts.push(`${row.shown.connections} connections: ${words(row.kept.parts)}; the disk alone takes ${p50} (p99 ${p99}) for a write of ${bytes} bytes and its fdatasync`);
  }
  report('power', {
    ...facts, seconds,
    placement: `nginx's worker and the agent's first thread on core ${PATH_CORE}; on core ${LOAD_CORE} wrk, the server, the control plane and the agent's other threads: its committer, which writes and syncs, and its shipper`,
    notes: [...parts, 'a call waits for two records, one after the other: for each, until the commit that is under way has ended, and then for its own'],
  }, rows, panelsOf(samples, CONNECTIONS, contenders));
}

// Of the time of a call, in microseconds: the wait for a record (commits included), a commit, a turn of the loop.
function partsOf({ counted, latency }) {
  const of = (name) => { const histogram = counted[`sallyport_agent_${name}_seconds`]; return { p50: quantile(histogram, 0.5), p99: quantile(histogram, 0.99), count: histogram.count }; };
  return { call: { p50: percentile(latency, 50), p99: percentile(latency, 99) }, wait: of('record_wait'), commit: of('commit'), turn: of('loop_turn') };
}

function words({ call, wait, commit, turn }) {
  const both = ({ p50, p99 }) => `${micros(p50)} (p99 ${micros(p99)})`;
  return `a call takes ${both(call)}, each of its two records waits ${both(wait)}, a commit takes ${both(commit)} and carries ${(wait.count / commit.count).toFixed(1)} records, a turn of the loop ${both(turn)}`;
}
