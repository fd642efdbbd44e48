// What masking costs alone: scan, and scan with splice, of messages without and with findings.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { LOAD_CORE, PATH_CORE } from '../machine.mjs';
import { report } from '../report.mjs';

export const usesBed = false;

export async function run({ facts, number, bin }) {
  const { benchmarks } = JSON.parse(execFileSync('taskset', ['-c', String(PATH_CORE), join(bin, 'mask_bench'), '--benchmark_format=json', `--benchmark_repetitions=${facts.rounds}`, `--benchmark_min_time=${Math.min(0.5, number('seconds', 0.5))}`], { stdio: ['ignore', 'pipe', 'ignore'] }));
  const found = benchmarks.filter((one) => facts.rounds === 1 || one.aggregate_name === 'median');
  report('mask', {
    ...facts, placement: `on core ${PATH_CORE}, alone; nothing on core ${LOAD_CORE}`,
  }, found.map((one) => ({
    shown: { benchmark: one.run_name.replace('BM_', '').replace('/', ', '), 'us a message': (one.cpu_time / { ns: 1000, us: 1 }[one.time_unit]).toFixed(2), 'MB/s': Math.round(one.bytes_per_second / 1e6) },
  })));
}
