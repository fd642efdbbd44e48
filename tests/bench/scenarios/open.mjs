// Sessions that a control plane opens, and how long each takes; beside them what SQLite alone commits on the same disk.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { measured, percentile } from '../load.mjs';
import { median } from '../machine.mjs';
import { micros, report, thousands } from '../report.mjs';

export const usesBed = false;

const IN_FLIGHT = [1, 8, 32];

export async function run({ facts, number, bin, progress }) {
  const seconds = number('seconds', 4);
  // Beside the programs: a disk, where the directory for temporary files may be memory.
  const dir = join(bin, '..', 'bench-open');
  const samples = Object.fromEntries(IN_FLIGHT.map((count) => [count, []]));
  for (let round = 1; round <= facts.rounds; ++round) {
    for (const count of IN_FLIGHT) {
      progress(`round ${round} of ${facts.rounds}, ${count} in flight`);
      rmSync(dir, { recursive: true, force: true });
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      // Both cores: the caller, the agent's door and the database are one process here.
      samples[count].push(await measured(join(bin, 'open_sessions'), [dir, String(count), String(seconds)], 'RESULT ', '0,1'));
    }
  }
  rmSync(dir, { recursive: true, force: true });
  report('open', {
    ...facts, seconds, placement: 'the control plane and who asks it on both cores, in one process',
    notes: ['a session: one token verified, one durable transaction (session, window, audit line), one grant signed, over gRPC with mutual TLS', 'a commit: a row of 1 KiB and its durable commit, one after the other, by one connection'],
  }, IN_FLIGHT.map((count) => {
    const of = (read) => median(samples[count].map(read));
    return {
      shown: {
        'in flight': count, 'sessions/s': thousands(of(({ rate }) => rate)), p50: micros(of(({ latency }) => percentile(latency, 50))), p99: micros(of(({ latency }) => percentile(latency, 99))),
        errors: samples[count].reduce((sum, { errors }) => sum + errors, 0),
        'commits/s': thousands(of((sample) => sample.commit_rate)), 'commit p50': micros(of((sample) => percentile(sample.commit_latency, 50))), 'commit p99': micros(of((sample) => percentile(sample.commit_latency, 99))),
        'of commits': of((sample) => sample.rate / sample.commit_rate).toFixed(2),
      },
      kept: { samples: samples[count] },
    };
  }));
}
