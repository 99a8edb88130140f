import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { linearAxis, logAxis } from './axis.ts';
import { drawBars } from './bars.ts';
import { drawLines } from './lines.ts';

const numbersOf = (svg: string, pattern: RegExp): number[] =>
  [...svg.matchAll(pattern)].map(([, value]) => Number(value));

test('a linear axis ends at a round number above its largest value', () => {
  const axis = linearAxis(13_400, 100);
  assert.equal(axis.ticks, [0, 5_000, 10_000, 15_000]);
  assert.is(axis.at(15_000), 100);
  assert.equal(linearAxis(0.7, 100).ticks, [0, 0.2, 0.4, 0.6, 0.8]);
  assert.equal(linearAxis(0, 100).ticks, [0, 1]);
});

test('a logarithmic axis counts in powers of ten and refuses zero', () => {
  const axis = logAxis(3, 20_000, 500);
  assert.equal(axis.ticks, [1, 10, 100, 1_000, 10_000, 100_000]);
  assert.is(axis.at(100), 200);
  assert.throws(() => logAxis(0, 10, 100), /no logarithmic axis from 0/);
});

test('bars are as long as their values and show their spread', () => {
  const svg = drawBars('Engine', 'events/s', [
    { name: 'ours', value: 200, min: 150, max: 250 },
    { name: 'peer', value: 100 },
  ]);
  const [ours, peer] = numbersOf(svg, /<rect [^>]*width="([\d.]+)"/g);
  assert.ok(ours !== undefined && peer !== undefined && Math.abs(ours - 2 * peer) < 0.02);
  assert.is([...svg.matchAll(/class="spread"/g)].length, 1);
  assert.match(svg, />events\/s</);
});

test('a line passes through its points, higher values higher up', () => {
  const svg = drawLines('Latency', { xUnit: '%', yUnit: 'ms', yLog: true }, [
    {
      name: 'p99',
      points: [
        [10, 5],
        [90, 500],
      ],
    },
  ]);
  const [low, high] = numbersOf(svg, /<circle [^>]*cy="([\d.]+)"/g);
  assert.ok(low !== undefined && high !== undefined && high < low);
  assert.match(svg, /<polyline /);
});

test('what comes as text cannot become markup', () => {
  const svg = drawBars('a < b & "c"', 'x', [{ name: '<script>', value: 1 }]);
  assert.not.match(svg, '<script>');
  assert.match(svg, '&lt;script&gt;');
  assert.match(svg, 'aria-label="a &lt; b &amp; &quot;c&quot;"');
});

test('a figure is readable on light and on dark', () => {
  assert.match(drawBars('t', 'u', [{ name: 'n', value: 1 }]), 'prefers-color-scheme: dark');
});

test.run();
