// Runs the scenarios that are named, one after the other, each with its own contenders.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Bed } from './bed.mjs';
import { LOAD_CORE, machineFacts, pin } from './machine.mjs';

const NAMES = ['path', 'power', 'steady', 'streams', 'memory', 'stdio', 'mask', 'policy', 'open'];
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bin: { type: 'string' }, rounds: { type: 'string', default: '5' }, seconds: { type: 'string' }, bytes: { type: 'string', default: '900' },
    streams: { type: 'string', default: '1000' }, sessions: { type: 'string', default: '10000' }, rate: { type: 'string' },
    results: { type: 'string', default: join(import.meta.dirname, 'results') },
  },
});
const unknown = positionals.filter((name) => !NAMES.includes(name));
if (unknown.length || !options.bin) {
  console.error(`usage: tests/bench/run [${NAMES.join('|')}]... [--rounds N] [--seconds S] [--bytes B] [--streams N] [--sessions N] [--rate R] [--results DIR]`);
  process.exit(2);
}
const number = (name, unset) => (options[name] === undefined ? unset : Number(options[name]));

pin(process.pid, LOAD_CORE);
const machine = machineFacts();
if (machine.cores < 2) { console.error('two cores are needed: one for what is measured, one for what drives it'); process.exit(1); }
console.log(JSON.stringify(machine));
for (const name of positionals.length ? positionals : NAMES) {
  const { run, usesBed = true } = await import(`./scenarios/${name}.mjs`);
  const facts = { date: new Date().toISOString(), machine, rounds: number('rounds'), bytes: number('bytes'), results: options.results };
  let bed;
  try {
    if (usesBed) bed = await Bed.make(options.bin, { bytes: facts.bytes });
    await run({ bed, facts, number, bin: options.bin, progress: (text) => process.stderr.write(`${name}: ${text}\n`) });
  } catch (error) {
    console.error(`${name}: ${error.stack}`);
    process.exitCode = 1;
  } finally {
    await bed?.close();
  }
}
process.exit();
