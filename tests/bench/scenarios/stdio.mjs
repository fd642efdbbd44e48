// A real server behind its pipe: 32 calls in flight through the agent, and the same child driven over the pipe itself.
import { join } from 'node:path';
import { isRoot } from '../../../deploy/demo/stage.mjs';
import { throughAgent } from '../bed.mjs';
import { measured, observed, percentile, wrk } from '../load.mjs';
import { descendantsOf, LOAD_CORE, PATH_CORE, pin, sleep } from '../machine.mjs';
import { medians, micros, percent, ratio, report, thousands } from '../report.mjs';

const IN_FLIGHT = 32;
const ECHO = '"method":"tools/call","params":{"name":"echo","arguments":{"message":"what to say what to say"}}';

export async function run({ bed, facts, number, progress }) {
  const seconds = number('seconds', 8);
  const packages = await bed.stage.nodePackages();
  const node = process.execPath.replace(/^.*\/node_modules\//, `${packages}/`);
  const command = [node, join(packages, '@modelcontextprotocol/server-everything/dist/index.js'), 'stdio'];
  const agent = await bed.agent('stdio', { servers: `  - {name: everything, stdio: {command: ${JSON.stringify(command)}${isRoot ? ', run_as: nobody' : ''}}}` });
  const one = [{ client: 'bench-one', token: await bed.issuer.mint('bench-one') }];
  const contender = throughAgent('sallyport', agent, PATH_CORE, 'everything');
  contender.requests = bed.requests('stdio', contender, one, await bed.openSessions(agent, one, 'everything'), { call: () => ECHO });
  contender.prepare = () => {
    pin(contender.pid, PATH_CORE);
    for (const pid of descendantsOf(contender.pid)) pin(pid, LOAD_CORE);
  };
  const samples = { 'the pipe itself': [], sallyport: [] };
  for (let round = 0; round < facts.rounds; ++round) {
    samples['the pipe itself'].push(await observed({}, () => measured(join(bed.stage.bin, 'pipe_client'), [String(IN_FLIGHT), String(seconds), String(LOAD_CORE), ECHO, ...command], '', PATH_CORE)));
    samples.sallyport.push(await observed(contender, () => wrk(bed, contender, IN_FLIGHT, seconds, LOAD_CORE)));
    for (const [name, all] of Object.entries(samples)) progress(`round ${round + 1}, ${name}: ${Math.round(all.at(-1).rate)} calls/s`);
    await sleep(500);
  }
  report('stdio', {
    ...facts, seconds, inFlight: IN_FLIGHT,
    placement: `the child (server-everything) on core ${LOAD_CORE}, with the control plane and wrk; on core ${PATH_CORE} what drives it: a program at its pipe, or the agent`,
  }, Object.entries(samples).map(([name, list]) => {
    const all = medians(list);
    return {
      shown: {
        contender: name, 'in flight': IN_FLIGHT, 'calls/s': thousands(all.rate), 'of the pipe': ratio(list, samples['the pipe itself'], (sample) => sample.rate).toFixed(2),
        p50: micros(percentile(all.latency, 50)), p99: micros(percentile(all.latency, 99)), 'us a call': all.cpuMicros && all.cpuMicros.toFixed(0), 'cores busy': all.busy.map(percent).join(' '), errors: all.errors,
      },
      kept: all,
    };
  }), [{ title: `${IN_FLIGHT} calls in flight`, curves: Object.entries(samples).map(([name, list]) => ({ name, latency: medians(list).latency })) }]);
}
