// What a scenario leaves behind: a table on the screen, NAME.json and, where there are latencies, NAME.svg.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { percentile, PERCENTILES } from './load.mjs';
import { median } from './machine.mjs';

// Rows of {column: value} as aligned text; a column that no row has is not shown.
export function table(rows) {
  const columns = [...new Set(rows.flatMap(Object.keys))].filter((column) => rows.some((row) => row[column] !== undefined));
  const text = (value) => (value === undefined ? '' : String(value));
  const width = (column) => Math.max(column.length, ...rows.map((row) => text(row[column]).length));
  const line = (cells) => cells.map((cell, i) => (i === 0 ? cell.padEnd(width(columns[i])) : cell.padStart(width(columns[i])))).join('  ').trimEnd();
  return [line(columns), line(columns.map((column) => '-'.repeat(width(column)))), ...rows.map((row) => line(columns.map((column) => text(row[column]))))].join('\n');
}

// One sample per round becomes one, of medians.
export function medians(samples) {
  const of = (read) => { const values = samples.map(read).filter((value) => value !== undefined); return values.length ? median(values) : undefined; };
  return {
    rate: of((sample) => sample.rate), errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
    latency: PERCENTILES.map((p) => [p, of((sample) => percentile(sample.latency, p))]).filter(([, value]) => value !== undefined),
    cpuMicros: of((sample) => sample.cpuMicros), pathMicros: of((sample) => sample.pathMicros),
    busy: samples[0].busy && [0, 1].map((core) => of((sample) => sample.busy[core])),
    backlog: samples[0].backlog && { end: of((sample) => sample.backlog.end), max: Math.max(...samples.map((sample) => sample.backlog.max)) },
  };
}

// Of a figure, the median over the rounds of its ratio to a reference's in the same round.
export const ratio = (samples, reference, read) => median(samples.map((sample, round) => read(sample) / read(reference[round])));

export const thousands = (value) => `${(value / 1000).toFixed(1)}k`;
export const micros = (value) => (value < 1000 ? `${Math.round(value)} us` : `${(value / 1000).toFixed(value < 10000 ? 2 : 1)} ms`);
export const percent = (share) => `${Math.round(share * 100)}%`;
export const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

// `results`: the directory it is left in. `panels`: [{title, curves: [{name, latency: [[percentile, us]...]}]}]
export function report(scenario, { results, ...facts }, rows, panels = []) {
  console.log(`\n${scenario}: ${facts.placement}\n${table(rows.map(({ shown }) => shown))}\n${(facts.notes ?? []).map((note) => `* ${note}\n`).join('')}`);
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, `${scenario}.json`), `${JSON.stringify({ scenario, ...facts, rows: rows.map((row) => ({ ...row.shown, ...row.kept })) }, null, 1)}\n`);
  if (panels.length) writeFileSync(join(results, `${scenario}.svg`), plot(scenario, facts, panels));
}

// --- the plot: latency over percentiles, both on logarithmic axes, so that the tail has as much room as the rest

const COLOURS = ['#4477aa', '#ee6677', '#228833', '#aa3377', '#ccbb44', '#66ccee', '#222222'];
const [WIDTH, HEIGHT, LEFT, TOP, GAP] = [460, 320, 62, 60, 40];
const TICKS = [[0, '0'], [50, '50'], [90, '90'], [99, '99'], [99.9, '99.9'], [99.99, '99.99 %']];
const NINES = 4.3;

const across = (percentile) => Math.min(NINES, -Math.log10(1 - Math.min(percentile, 99.9999) / 100)) / NINES * (WIDTH - LEFT - 12);
const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

function panel({ title, curves }, number) {
  const values = curves.flatMap(({ latency }) => latency.filter(([p]) => p < 100).map(([, value]) => Math.max(1, value)));
  const low = Math.floor(Math.log10(Math.min(...values))), high = Math.ceil(Math.log10(Math.max(...values)));
  const down = (value) => HEIGHT - (Math.log10(Math.max(1, value)) - low) / Math.max(1, high - low) * HEIGHT;
  const parts = [`<g transform="translate(${LEFT + number * (WIDTH + GAP)},${TOP})"><text y="-10" font-weight="bold">${escaped(title)}</text>`];
  for (let power = low; power <= high; ++power) {
    const y = down(10 ** power);
    parts.push(`<path d="M0 ${y}H${WIDTH - LEFT - 12}" stroke="#ddd"/><text x="-6" y="${y + 4}" text-anchor="end">${power < 3 ? `${10 ** power} us` : power < 6 ? `${10 ** (power - 3)} ms` : `${10 ** (power - 6)} s`}</text>`);
  }
  for (const [at, label] of TICKS) parts.push(`<path d="M${across(at)} 0V${HEIGHT}" stroke="#eee"/><text x="${across(at)}" y="${HEIGHT + 16}" text-anchor="middle">${label}</text>`);
  curves.forEach(({ name, latency }, i) => {
    const points = latency.filter(([p]) => p < 100).map(([p, value]) => `${across(p).toFixed(1)},${down(value).toFixed(1)}`);
    parts.push(`<polyline points="${points.join(' ')}" fill="none" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="1.8"/>`);
    parts.push(`<text x="8" y="${14 + i * 15}" fill="${COLOURS[i % COLOURS.length]}">${escaped(name)}</text>`);
  });
  return `${parts.join('\n')}</g>`;
}

function plot(scenario, { machine, date }, panels) {
  const width = LEFT + panels.length * (WIDTH + GAP);
  const about = `${scenario}: latency by percentile. ${machine.cpu}, ${machine.cores} cores, kernel ${machine.kernel}, ${date}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT + TOP + 40}" font-family="sans-serif" font-size="11">
<rect width="100%" height="100%" fill="white"/><text x="${LEFT}" y="20" font-size="13">${escaped(about)}</text>
${panels.map(panel).join('\n')}
</svg>
`;
}
