import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { holds } from './compare-settings.ts';

const said: [string, unknown, unknown][] = [
  ['a number as text', 250, '250'],
  ['text as a number', '0.50', 0.5],
  ['a list in another order', [{ text: 'A' }, { text: 'B' }], [{ text: 'B', rated: true }, { text: 'A' }]],
  ['more than was told', { geo: { countries: ['DE'] } }, { geo: { countries: ['DE'], types: ['home'] }, age_min: 18 }],
  ['nothing where it was emptied', { path1: '', path2: null }, {}],
  ['nothing where nothing was told', {}, null],
];
for (const [name, wanted, there] of said) test(`${name} is the same`, () => assert.ok(holds(wanted, there)));

const other: [string, unknown, unknown][] = [
  ['another number', 250, '251'],
  ['another text', 'CPC', 'CPM'],
  ['text that only looks empty as a number', '', 0],
  ['a list with one more', ['DE'], ['DE', 'AT']],
  ['a list with one twice', ['DE', 'DE'], ['DE', 'AT']],
  ['a field that is gone', { age_min: 18, geo: {} }, { geo: {} }],
  ['nothing', 250, null],
  ['a list for a text', ['DE'], 'DE'],
  ['a switch', true, false],
];
for (const [name, wanted, there] of other) test(`${name} is another`, () => assert.not.ok(holds(wanted, there)));

test.run();
