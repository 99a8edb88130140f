// test-deadline: 400s
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Environment } from '../settings.ts';
import { contextOf, judge } from './judge.ts';
import { runInEngine } from './run-in-engine.ts';

const faultProgram = (name: string): string => fileURLToPath(new URL(`fault-programs/${name}.ts`, import.meta.url));

/** `npm run infra:test` names the stacks; `npm test` is content with the one that matters most, and with the program itself. */
const named = process.env['LANEWAY_INFRA_STACKS'];
const stacks = (named ?? 'production').split(',') as Environment[];

for (const environment of stacks)
  test(`${environment} runs under the runner of pulumi up, and a preview shows every resource of it`, async () => {
    const [preview, up] = await Promise.all([
      runInEngine(environment, { preview: true }),
      runInEngine(environment, { preview: false }),
    ]);
    assert.equal([preview.complaints, up.complaints], ['', '']);
    assert.equal([preview.exitCode, up.exitCode], [0, 0]);
    assert.equal(preview.graph.map(({ urn }) => urn).toSorted(), up.graph.map(({ urn }) => urn).toSorted());
    assert.equal(await judge(up.graph, contextOf(environment)), []);
    // Only the one that refuses other accounts.
    assert.is(up.graph.filter(({ type }) => type === 'pulumi:providers:aws').length, 1);
  });

if (named !== undefined) {
  test('two resources of one name are refused', async () => {
    const run = await runInEngine('production', { preview: true, program: faultProgram('duplicate-name') });
    assert.is.not(run.exitCode, 0);
    assert.match(run.complaints, /Duplicate resource URN/);
  });

  test('a resource that is made inside .apply shows by its absence from the preview', async () => {
    const program = faultProgram('made-in-apply');
    const [preview, up] = await Promise.all([
      runInEngine('production', { preview: true, program }),
      runInEngine('production', { preview: false, program }),
    ]);
    const names = (types: typeof up.graph) => types.map(({ type }) => type.split(':').at(-1) ?? '').toSorted();
    assert.equal(names(preview.graph), ['Queue', 'Stack']);
    assert.equal(names(up.graph), ['Queue', 'QueuePolicy', 'Stack']);
  });

  test('a program that asks AWS what it should be told is refused', async () => {
    const run = await runInEngine('production', { preview: true, program: faultProgram('asks-aws') });
    assert.is.not(run.exitCode, 0);
    assert.match(run.complaints, /should be told by its settings/);
  });

  test('without its settings the program stops and says which', async () => {
    const run = await runInEngine('production', { preview: true, config: { 'laneway:domain': 'not a domain' } });
    assert.is.not(run.exitCode, 0);
    assert.match(run.complaints, /laneway:domain/);
  });
}

test.run();
