// Event streams: a thousand at once, each with a small event a second. How much later does an event reach the client than without the agent?
import { join } from 'node:path';
import { throughAgent } from '../bed.mjs';
import { measured, observed, percentile } from '../load.mjs';
import { LOAD_CORE, memoryOf, PATH_CORE } from '../machine.mjs';
import { mebibytes, medians, micros, percent, ratio, report } from '../report.mjs';

// Of one session 128 calls may be in flight.
const STREAMS_OF_CLIENT = 50;
const PERIOD_MS = 1000;

export async function run({ bed, facts, number, progress }) {
  const streams = number('streams'), events = Math.max(3, number('seconds', 8));
  const minted = await bed.issuer.mintMany(Math.ceil(streams / STREAMS_OF_CLIENT), Math.ceil(streams / STREAMS_OF_CLIENT));
  const contenders = [bed.direct(), { ...await bed.nginx(), path: '/streams/mcp' }];
  const sessions = {};
  for (const durability of ['process', 'power']) {
    const agent = await bed.agent(durability, { durability });
    contenders.push(throughAgent(`sallyport, ${durability}`, agent, LOAD_CORE));
    sessions[contenders.at(-1).name] = await bed.openSessions(agent, minted);
  }
  const call = (i) => `"method":"tools/call","params":{"name":"stream","_meta":{"progressToken":"p${i}"},"arguments":{"events":${events},"period_ms":${PERIOD_MS}}}`;
  const samples = Object.fromEntries(contenders.map(({ name }) => [name, []]));
  for (const contender of contenders) contender.requests = bed.requests(contender.name, contender, minted, sessions[contender.name], { count: streams, call });
  for (let round = 0; round < facts.rounds; ++round) {
    for (const contender of contenders) {
      const sample = await observed(contender, async () => {
        const got = await measured(join(bed.stage.bin, 'stream_client'), [String(contender.port), contender.requests, String(streams), String(PERIOD_MS)]);
        return { ...got, calls: got.events, latency: got.delay, rss: contender.pid && memoryOf(contender.pid).rss };
      });
      samples[contender.name].push(sample);
      progress(`round ${round + 1}, ${contender.name}: ${sample.events} events, delay p50 ${percentile(sample.delay, 50)} us, errors ${sample.errors}`);
    }
  }
  const [plain] = contenders;
  const added = (name, of, p) => micros(percentile(medians(samples[name].map((sample) => ({ ...sample, latency: sample[of] }))).latency, p) - percentile(medians(samples[plain.name].map((sample) => ({ ...sample, latency: sample[of] }))).latency, p));
  report('streams', {
    ...facts, streams, events, periodMs: PERIOD_MS,
    placement: `nginx's worker and the agent's first thread on core ${PATH_CORE}; on core ${LOAD_CORE} the client, the server, the control plane and the agent's other threads`,
    notes: [`${streams} streams that begin one after the other over ${PERIOD_MS} ms, each with ${events} events of some 140 bytes, one each ${PERIOD_MS} ms`, 'first: from the request to the first byte of its answer; delay: from the writing of an event by the server to its arrival at the client; added: over the server itself, at the same percentile'],
  }, contenders.map(({ name }) => {
    const all = medians(samples[name]);
    const first = medians(samples[name].map((sample) => ({ ...sample, latency: sample.first }))).latency;
    return {
      shown: {
        contender: name, 'first p50': micros(percentile(first, 50)), 'first p50 added': added(name, 'first', 50), 'first p99': micros(percentile(first, 99)),
        'delay p50': micros(percentile(all.latency, 50)), 'delay p50 added': added(name, 'delay', 50), 'delay p99': micros(percentile(all.latency, 99)), 'delay p99 of direct': ratio(samples[name], samples[plain.name], (sample) => percentile(sample.delay, 99)).toFixed(1),
        events: samples[name][0].events, errors: all.errors, 'us an event': all.cpuMicros && `${all.cpuMicros.toFixed(0)} (${all.pathMicros.toFixed(0)})`, 'cores busy': all.busy.map(percent).join(' '),
        'RSS after': samples[name][0].rss && mebibytes(samples[name][0].rss), 'backlog max': all.backlog && mebibytes(all.backlog.max),
      },
      kept: { ...all, first },
    };
  }), [
    { title: 'first byte', curves: contenders.map(({ name }) => ({ name, latency: medians(samples[name].map((sample) => ({ ...sample, latency: sample.first }))).latency })) },
    { title: 'delay of an event', curves: contenders.map(({ name }) => ({ name, latency: medians(samples[name]).latency })) },
  ]);
}
