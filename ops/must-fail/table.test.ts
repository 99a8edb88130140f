import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { exceptions } from './exceptions.ts';
import { takeAways } from './table.ts';
import { type TakeAway, takeAway } from './take-away.ts';
import { projectRoot } from '../local/data-folder.ts';
import { findTest, readHazards } from '../read-hazards.ts';
import { stripComments } from '../strip-comments.ts';

const hazards = readHazards();
const read = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');

test('every test that a hazard names has something to take away, and a hazard without tests the reason why not', () => {
  const unproven = hazards.flatMap(({ name, tests }) => {
    const own = new Set(takeAways.filter(({ hazard }) => hazard === name).map(({ expects }) => expects));
    return tests.filter(({ title }) => !own.has(title)).map(({ title }) => `${name}: ${title}`);
  });
  assert.equal(unproven, []);
  assert.equal(
    exceptions.map(({ hazard }) => hazard),
    hazards.filter(({ tests }) => tests.length === 0).map(({ name }) => name),
  );
  assert.ok(exceptions.every(({ reason }) => reason !== ''));
});

/** What is wrong with one, in words. */
function faultsOf(what: TakeAway): string[] {
  const { hazard, takes, file, from, to, test: testFile, expects } = what;
  const faults: string[] = [];
  const listed = hazards.find(({ name }) => name === hazard)?.tests ?? [];
  if (takes === '') faults.push('it does not say what it takes away');
  if (from === to) faults.push('it changes nothing');
  if (!existsSync(join(projectRoot, file))) faults.push(`there is no ${file}`);
  else {
    try {
      takeAway(read(file), what);
    } catch (error) {
      faults.push(String(error));
    }
  }
  if (!existsSync(join(projectRoot, testFile))) faults.push(`there is no ${testFile}`);
  else if (findTest(stripComments(read(testFile)), expects) === undefined)
    faults.push(`no test of ${testFile} is called “${expects}”`);
  if (!listed.some((each) => each.title === expects && each.file === testFile))
    faults.push(`docs/hazards.md does not name “${expects}” under ${hazard}`);
  return faults.map((fault) => `${hazard}, ${takes}: ${fault}`);
}

test('what is taken away stands once in its file, and the test that must fail stands in its file and under its hazard', () => {
  assert.equal(takeAways.flatMap(faultsOf), []);
});

test('a table that rots is seen', () => {
  const [sound] = takeAways;
  assert.ok(sound);
  const rotten: TakeAway[] = [
    { ...sound, from: 'what stands nowhere' },
    { ...sound, from: '\n' },
    { ...sound, to: sound.from },
    { ...sound, file: 'workers/gone.ts' },
    { ...sound, test: 'workers/gone.test.ts' },
    { ...sound, test: 'workers/turns.test.ts' },
    { ...sound, expects: 'what no test claims' },
    { ...sound, hazard: 'H2' },
  ];
  for (const each of rotten) assert.ok(faultsOf(each).length > 0, JSON.stringify(each));
});

test.run();
