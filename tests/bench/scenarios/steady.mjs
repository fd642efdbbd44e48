// Half of what the path is to reach, held for a while, with the control plane on the same machine taking the records: do they leave and land,
// in large blocks, and does the spool stay as it is?
import { throughAgent } from '../bed.mjs';
import { observed, paced, percentile, wrk } from '../load.mjs';
import { LOAD_CORE, memoryOf, PATH_CORE, processSeconds } from '../machine.mjs';
import { mebibytes, micros, percent, report, thousands } from '../report.mjs';

// What each durability is to reach of nginx, at how many connections.
const GOALS = [['process', 8, 0.7], ['process', 32, 0.9], ['power', 8, 0.2], ['power', 32, 0.4], ['power', 128, 0.6]];

export async function run({ bed, facts, number, progress }) {
  const seconds = number('seconds', 60);
  const one = [{ client: 'bench-one', token: await bed.issuer.mint('bench-one') }];
  const nginx = await bed.nginx();
  nginx.requests = bed.requests('nginx', nginx, one);
  const agents = {};
  for (const durability of ['process', 'power']) {
    const agent = await bed.agent(durability, { durability });
    const contender = throughAgent(durability, agent, LOAD_CORE);
    contender.requests = bed.requests(durability, contender, one, await bed.openSessions(agent, one));
    agents[durability] = contender;
  }
  const plain = {};
  for (const connections of new Set(GOALS.map(([, c]) => c))) plain[connections] = (await observed(nginx, () => wrk(bed, nginx, connections, 4))).rate;

  const rows = [];
  for (const [durability, connections, goal] of GOALS) {
    const rate = number('rate', plain[connections] * goal / 2);
    progress(`${durability}, ${connections} connections, ${Math.round(rate)} calls/s for ${seconds} s`);
    const taker = bed.controlPlane.child.pid;
    const before = processSeconds(taker);
    const sample = await observed(agents[durability], () => paced(bed, agents[durability], connections, rate, seconds));
    const records = sample.counted.sallyport_agent_records_shipped_total;
    const blocks = sample.counted.sallyport_agent_blocks_shipped_total;
    const packed = sample.counted.sallyport_agent_block_bytes_shipped_total / sample.counted.sallyport_agent_commit_bytes_total;
    const { begin, middle, end, max } = sample.backlog;
    rows.push({
      shown: {
        durability, connections, 'asked/s': thousands(rate), 'calls/s': thousands(sample.rate), errors: sample.errors, p50: micros(percentile(sample.latency, 50)), p99: micros(percentile(sample.latency, 99)),
        'records a block': (records / blocks).toFixed(0), 'packed to': percent(packed), 'records taken of made': percent(records / (2 * sample.calls)), 'spool at begin, middle, end, max': [begin, middle, end, max].map(mebibytes).join(', '),
        'cores busy': sample.busy.map(percent).join(' '), 'control plane us a record': ((processSeconds(taker) - before) / records * 1e6).toFixed(1), 'agent RSS': mebibytes(memoryOf(agents[durability].pid).rss),
      },
      kept: { ...sample, plainRate: plain[connections], goal },
    });
  }
  report('steady', {
    ...facts, seconds,
    placement: `the agent's first thread on core ${PATH_CORE}; on core ${LOAD_CORE} everything else: the agent's shipper and committer, the control plane, the server and the client that keeps the rate`,
    notes: ['packed to: bytes of the blocks as they travelled, of those that were written', 'asked/s: half of what the durability is to reach of the calls per second that nginx made at so many connections in this run', 'a call that finds every connection busy is measured from when it was due'],
  }, rows, [{ title: 'held rate', curves: rows.map(({ shown, kept }) => ({ name: `${shown.durability}, ${shown.connections} connections`, latency: kept.latency })) }]);
}
