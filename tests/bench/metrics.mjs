// What an agent says of itself on /metrics.
import { sleep } from './machine.mjs';

// {name: value}; histograms as {name: {buckets: [[bound, count]...], sum, count}}, in seconds.
export async function metricsOf(agent) {
  const metrics = {};
  for (const line of (await (await fetch(`http://${agent.ready.listen.local}/metrics`)).text()).split('\n')) {
    const [, name, part, bound, value] = /^(\w+?)(_bucket|_sum|_count)?(?:\{le="([^"]+)"\})? (\S+)$/.exec(line) ?? [];
    if (!name) continue;
    if (!part) { metrics[name] = Number(value); continue; }
    const histogram = (metrics[name] ??= { buckets: [] });
    if (part === '_bucket') histogram.buckets.push([bound === '+Inf' ? Infinity : Number(bound), Number(value)]);
    else histogram[part.slice(1)] = Number(value);
  }
  return metrics;
}

// What has been counted in between.
export function difference(before, after) {
  return Object.fromEntries(Object.entries(after).map(([name, value]) => {
    const was = before[name];
    if (typeof value === 'number') return [name, value - (was ?? 0)];
    return [name, { sum: value.sum - was.sum, count: value.count - was.count, buckets: value.buckets.map(([bound, count], i) => [bound, count - was.buckets[i][1]]) }];
  }));
}

// Of a histogram, in microseconds, straight between the bounds of a bucket; undefined without a sample.
export function quantile({ buckets, count }, share) {
  let low = 0, below = 0;
  for (const [bound, upTo] of buckets) {
    if (upTo >= share * count && count > 0) return (bound === Infinity ? low : low + (bound - low) * (share * count - below) / Math.max(1, upTo - below)) * 1e6;
    [low, below] = [bound, upTo];
  }
  return undefined;
}

// Looks at an agent's backlog until told to stop; then gives what it was at first, at the end and at most, in bytes.
export function watchBacklog(agent) {
  const read = async () => (await metricsOf(agent)).sallyport_agent_spool_bytes;
  const seen = [];
  let stopped = false;
  const watching = (async () => {
    while (!stopped) {
      seen.push(await read());
      await sleep(250);
    }
  })();
  return async () => {
    const end = await read();
    stopped = true;
    await watching;
    return { begin: seen[0], middle: seen[seen.length >> 1], end, max: Math.max(...seen, end) };
  };
}
