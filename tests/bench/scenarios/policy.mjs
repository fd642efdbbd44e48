// What judging costs alone: a call against few and against many policies, and choosing the policies of a principal.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { LOAD_CORE, PATH_CORE } from '../machine.mjs';
import { report } from '../report.mjs';

export const usesBed = false;

export async function run({ facts, number, bin }) {
  const { benchmarks } = JSON.parse(execFileSync('taskset', ['-c', String(PATH_CORE), join(bin, 'policy_bench'), '--benchmark_format=json', `--benchmark_repetitions=${facts.rounds}`, `--benchmark_min_time=${Math.min(0.5, number('seconds', 0.5))}`], { stdio: ['ignore', 'pipe', 'ignore'] }));
  const found = benchmarks.filter((one) => facts.rounds === 1 || one.aggregate_name === 'median');
  report('policy', {
    ...facts, placement: `on core ${PATH_CORE}, alone; nothing on core ${LOAD_CORE}`, rules: 'of each policy: 20',
  }, found.map((one) => {
    const [name, policies, matching] = one.run_name.split('/');
    return { shown: { benchmark: name, policies: policies.split(':')[1], 'of them name the principal': matching.split(':')[1], 'us a call': (one.cpu_time / { ns: 1000, us: 1 }[one.time_unit]).toFixed(2) } };
  }));
}
