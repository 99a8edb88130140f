import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { plotLines } from './plot-inversions.ts';

const plot = plotLines({
  title: 'Faults & orders',
  xLabel: 'x',
  yLabel: 'y',
  series: [
    {
      name: 'A <b>',
      colour: 'red',
      points: [
        [0, 0],
        [10, 80],
      ],
    },
  ],
});

test('points stand where the axes say', () => {
  // 552 by 256 between the margins; the axes end at 10 and at 100
  assert.match(plot, '<polyline fill="none" stroke="red" stroke-width="2" points="64,304 616,99.2"/>');
  assert.match(plot, '<text x="616" y="324" text-anchor="middle">10</text>');
  assert.match(plot, '<text x="56" y="52" text-anchor="end">100</text>');
});

test('names are text, whatever they contain', () => {
  assert.match(plot, '>A &lt;b&gt;</text>');
  assert.match(plot, '<title>Faults &amp; orders</title>');
});

test('nothing to draw is an empty plot, not a broken one', () => {
  assert.not.match(plotLines({ title: '', xLabel: '', yLabel: '', series: [] }), 'NaN');
});

test.run();
