// Calls through the path, with records that survive the process: beside the server itself, a plain proxy, and a proxy that checks a token
// and a tool for each call.
import { throughAgent } from '../bed.mjs';
import { observed, paced, percentile, wrk } from '../load.mjs';
import { LOAD_CORE, PATH_CORE, sleep } from '../machine.mjs';
import { medians, micros, percent, ratio, report, thousands, mebibytes } from '../report.mjs';

const CONNECTIONS = [8, 32];
const TOKENS = 10000, CLIENTS = 100;

export async function run({ bed, facts, number, progress }) {
  const seconds = number('seconds', 4);
  progress(`minting ${TOKENS} tokens`);
  const many = await bed.issuer.mintMany(TOKENS, CLIENTS);
  const one = [{ client: 'bench-one', token: await bed.issuer.mint('bench-one') }];
  const agent = await bed.agent('process');
  const sessions = await bed.openSessions(agent, [...one, ...many]);
  const contenders = [
    { ...bed.direct(), tokens: one },
    { ...await bed.nginx(), tokens: one },
    { ...await bed.haproxy(), tokens: many },
    { ...throughAgent('sallyport', agent, LOAD_CORE), tokens: one },
    { ...throughAgent('sallyport, 10,000 tokens', agent, LOAD_CORE), tokens: many },
    { ...throughAgent('sallyport, all on one core', agent, PATH_CORE), tokens: one },
  ];
  for (const contender of contenders) {
    contender.requests = bed.requests(contender.name, contender, contender.tokens, sessions);
    if (contender.tokens === many) contender.warm = () => paced(bed, contender, 32, 1e6, TOKENS / 1e6);
  }
  const samples = await rounds({ bed, contenders, connections: CONNECTIONS, count: facts.rounds, seconds, progress });
  report('path', {
    ...facts, seconds, tokens: TOKENS,
    placement: `the contender's path on core ${PATH_CORE}: nginx's worker, HAProxy's thread, the agent's first thread; on core ${LOAD_CORE} wrk, the server, the control plane and the agent's other threads (its shipper among them), which stand on core ${PATH_CORE} too in the rows "all on one core"`,
    notes: [`${TOKENS} tokens: of ${CLIENTS} clients, each token shown once in the half minute before its row and then in turn; otherwise one`, 'backlog: what the agent has recorded and the control plane has not acknowledged, at the row\'s end and at most', '"us a call": processor time of the contender, and of the agent\'s first thread alone'],
  }, rowsOf(samples, CONNECTIONS, contenders), panelsOf(samples, CONNECTIONS, contenders));
}

// {connections: {name: [sample of each round]}}; all contenders take turns in every round.
export async function rounds({ bed, contenders, connections, count, seconds, progress }) {
  const samples = Object.fromEntries(connections.map((c) => [c, Object.fromEntries(contenders.map(({ name }) => [name, []]))]));
  for (let round = 0; round < count; ++round) {
    for (const c of connections) {
      for (const contender of contenders) {
        const sample = await observed(contender, () => wrk(bed, contender, c, seconds));
        samples[c][contender.name].push(sample);
        progress(`round ${round + 1}, ${c} connections, ${contender.name}: ${Math.round(sample.rate)} calls/s`);
        await sleep(500);
      }
    }
  }
  return samples;
}

export function rowsOf(samples, connections, contenders) {
  return connections.flatMap((c) => contenders.map(({ name }) => {
    const all = medians(samples[c][name]), nginx = medians(samples[c].nginx);
    const p50 = percentile(all.latency, 50), p99 = percentile(all.latency, 99);
    const ofNginx = ratio(samples[c][name], samples[c].nginx, (sample) => sample.rate);
    const p99OfNginx = ratio(samples[c][name], samples[c].nginx, (sample) => percentile(sample.latency, 99));
    return {
      shown: {
        contender: `${name}`, connections: c, 'calls/s': thousands(all.rate), 'of nginx': ofNginx.toFixed(2), p50: micros(p50), 'p50 over nginx': micros(p50 - percentile(nginx.latency, 50)), p99: micros(p99), 'p99 of nginx': p99OfNginx.toFixed(1),
        'us a call': all.cpuMicros && `${all.cpuMicros.toFixed(0)} (${all.pathMicros.toFixed(0)})`, 'cores busy': all.busy.map(percent).join(' '),
        'backlog end, max': all.backlog && `${mebibytes(all.backlog.end)}, ${mebibytes(all.backlog.max)}`, errors: all.errors,
      },
      kept: all,
    };
  }));
}

export const panelsOf = (samples, connections, contenders) => connections.map((c) => ({
  title: `${c} connections`, curves: contenders.map(({ name }) => ({ name, latency: medians(samples[c][name]).latency })),
}));
