import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { difference, quantile } from './metrics.mjs';
import { medians, ratio, table } from './report.mjs';

const sample = (rate, p50, errors = 0) => ({ rate, errors, latency: [[50, p50], [99, 10 * p50]], backlog: { begin: 0, middle: 1, end: rate, max: 2 * rate } });

test('a figure is the median of the rounds, an error of any round is told, a backlog is its highest', () => {
  const all = medians([sample(10, 3), sample(1000, 1, 2), sample(20, 2)]);
  assert.equal(all.rate, 20);
  assert.equal(all.errors, 2);
  assert.deepEqual(all.latency.slice(0, 2), [[50, 2], [99, 20]]);
  assert.deepEqual(all.backlog, { end: 20, max: 2000 });
});

test('a ratio is taken within each round, so that a slow round counts for neither', () => {
  const plain = [sample(100, 1), sample(10, 1), sample(200, 1)];
  const other = [sample(50, 1), sample(5, 1), sample(100, 1)];
  assert.equal(ratio(other, plain, ({ rate }) => rate), 0.5);
});

test('a quantile lies straight between the bounds of its bucket', () => {
  const histogram = { count: 10, sum: 1, buckets: [[0.001, 0], [0.002, 10], [Infinity, 10]] };
  assert.equal(Math.round(quantile(histogram, 0.5)), 1500);
  assert.equal(quantile({ count: 0, sum: 0, buckets: [[0.001, 0], [Infinity, 0]] }, 0.5), undefined);
  assert.equal(Math.round(quantile({ count: 2, sum: 9, buckets: [[0.001, 1], [Infinity, 2]] }, 0.99)), 1000);
});

test('what two looks at the metrics differ by', () => {
  const before = { calls: 3, wait: { sum: 1, count: 2, buckets: [[1, 1], [Infinity, 2]] } };
  const after = { calls: 5, wait: { sum: 4, count: 6, buckets: [[1, 3], [Infinity, 6]] } };
  assert.deepEqual(difference(before, after), { calls: 2, wait: { sum: 3, count: 4, buckets: [[1, 2], [Infinity, 4]] } });
});

test('a table has a line for each row, and no column that no row fills', () => {
  assert.equal(table([{ name: 'a', rate: 1, none: undefined }, { name: 'bb', rate: 22 }]), 'name  rate\n----  ----\na        1\nbb      22');
});

test('a scenario that there is not is told before anything is installed or built', () => {
  const { status, stdout, stderr } = spawnSync(new URL('run', import.meta.url).pathname, ['path', '--rounds', '9', 'nosuch']);
  assert.equal(status, 2);
  assert.equal(String(stdout), '');
  assert.match(String(stderr), /there is no scenario nosuch/);
});
