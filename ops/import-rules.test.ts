import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkImports } from './import-rules.ts';
import { stripComments, stripCommentsAndStrings } from './strip-comments.ts';

/** What the rules find in a tree of these files, as `file:line rule`. */
function findingsIn(files: Record<string, string>): string[] {
  const root = mkdtempSync(join(tmpdir(), 'import-rules-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    }
    return checkImports(root).map(({ file, line, rule }) => `${file}:${line} ${rule}`);
  } finally {
    rmSync(root, { recursive: true });
  }
}

test('this repository keeps the rules', () => {
  const told = checkImports(join(import.meta.dirname, '..')).map(
    ({ file, line, found, reason }) => `${file}:${line} ${found}: ${reason}`,
  );
  assert.equal(told, []);
});

const violations: [name: string, file: string, text: string, expected: string][] = [
  ['core importing workers', 'core/a.ts', "import { x } from '../workers/x.ts';", 'core-imports-no-process'],
  ['core importing the gateway by export', 'core/a.ts', "export * from '../gateway/x.ts';", 'core-imports-no-process'],
  [
    'core importing a type from dashboards',
    'core/a.ts',
    "import type { X } from '../dashboards/x.ts';",
    'core-imports-no-process',
  ],
  [
    'workers importing the gateway',
    'workers/a.ts',
    "import { x } from '../gateway/x.ts';",
    'processes-do-not-import-each-other',
  ],
  [
    'the gateway importing workers late',
    'gateway/routes/a.ts',
    "void import('../../workers/x.ts');",
    'processes-do-not-import-each-other',
  ],
  [
    'dashboards importing for effect',
    'dashboards/a.ts',
    "import '../workers/x.ts';",
    'processes-do-not-import-each-other',
  ],
  ['core importing ops', 'core/a.ts', "import { x } from '../ops/local/x.ts';", 'nothing-imports-ops'],
  [
    'a test importing ops outside local',
    'workers/a.test.ts',
    "import { x } from '../ops/check.ts';",
    'nothing-imports-ops',
  ],
  [
    "a context importing another one's tables",
    'core/contexts/campaigns/reads.ts',
    "import type {\n  Product,\n} from '../catalog/tables.ts';",
    'contexts-meet-at-events-and-reads',
  ],
  [
    "a context importing another one's writes late, in its events",
    'core/contexts/campaigns/events.ts',
    "const x = () => import('../catalog/writes.ts');",
    'contexts-meet-at-events-and-reads',
  ],
  [
    "a context importing another one's handler",
    'core/contexts/campaigns/events.ts',
    "import { handleProduct } from '../catalog/handle-product.ts';",
    'contexts-meet-at-events-and-reads',
  ],
  ['process.env outside config', 'core/a.ts', 'const x = process.env;', 'environment-only-in-config'],
  ['process.env in a template', 'gateway/a.ts', 'const x = `${process.env.HOME}`;', 'environment-only-in-config'],
  ["process['env']", 'workers/a.ts', "const x = process['env'];", 'environment-only-in-config'],
  ['env taken out of process', 'workers/a.ts', 'const { env } = process;', 'environment-only-in-config'],
  [
    'env imported from node:process',
    'workers/a.ts',
    "import { env } from 'node:process';",
    'environment-only-in-config',
  ],
  ['Date.now() in product code', 'workers/a.ts', 'const now = Date.now();', 'time-only-from-the-clock'],
  ['Date.now passed on', 'workers/a.ts', 'run(Date.now);', 'time-only-from-the-clock'],
  ['new Date() in product code', 'core/a.ts', 'const now = new Date();', 'time-only-from-the-clock'],
  ['new Date without brackets', 'core/a.ts', 'const now = new Date;', 'time-only-from-the-clock'],
  [
    'an SDK client',
    'workers/a.ts',
    "import { SQSClient } from '@aws-sdk/client-sqs';\nnew SQSClient({});",
    'clients-only-in-core-clients',
  ],
  [
    'an SDK client under another name',
    'workers/a.ts',
    "import { SNSClient as Topics } from '@aws-sdk/client-sns';\nnew Topics({});",
    'clients-only-in-core-clients',
  ],
  [
    'a Redis connection',
    'workers/a.ts',
    "import IORedis from 'ioredis';\nnew IORedis();",
    'clients-only-in-core-clients',
  ],
  [
    'a named Redis connection',
    'workers/a.ts',
    "import { Redis } from 'ioredis';\nnew Redis();",
    'clients-only-in-core-clients',
  ],
  ['a Postgres pool', 'gateway/a.ts', "import pg from 'pg';\nnew pg.Pool({});", 'clients-only-in-core-clients'],
  ['a Postgres client', 'gateway/a.ts', "import { Client } from 'pg';\nnew Client();", 'clients-only-in-core-clients'],
];

for (const [name, file, text, rule] of violations) {
  test(`catches ${name}`, () => {
    const line = rule === 'clients-only-in-core-clients' ? 2 : 1;
    assert.equal(findingsIn({ [file]: text }), [`${file}:${line} ${rule}`]);
  });
}

test('passes what the rules leave free', () => {
  assert.equal(
    findingsIn({
      'core/runtime/config.ts': 'export const read = () => process.env;',
      'core/runtime/clock.ts': 'export const now = () => Date.now();',
      'core/clients/sqs.ts':
        "import { SQSClient } from '@aws-sdk/client-sqs';\nexport const make = () => new SQSClient({});",
      'core/contexts/campaigns/writes.ts': "import { x } from '../catalog/reads.ts';\nimport { y } from './tables.ts';",
      'core/contexts/campaigns/events.ts': "export const load = () => import('../catalog/handle-product.ts');",
      'workers/main.ts':
        "import { SendMessageCommand } from '@aws-sdk/client-sqs';\nimport '../core/a.ts';\nnew SendMessageCommand({});\nnew Date(0);",
      'workers/main.test.ts':
        "import { startStack } from '../ops/local/stack.ts';\nimport '../ops/testing-stack.ts';\nDate.now();",
      'gateway/a.ts': "// Date.now() and import '../workers/a.ts'\nconst why = 'no process.env here';",
      'ops/local/start.ts': "import '../../workers/main.ts';\nimport '../../gateway/a.ts';\nprocess.env;\nDate.now();",
    }),
    [],
  );
});

test('every violation tells its reason and what was found', () => {
  const root = mkdtempSync(join(tmpdir(), 'import-rules-'));
  mkdirSync(join(root, 'core'));
  writeFileSync(join(root, 'core/a.ts'), "\n\nimport { x } from '../workers/x.ts';\n");
  assert.equal(checkImports(root), [
    {
      file: 'core/a.ts',
      line: 3,
      rule: 'core-imports-no-process',
      found: "import of '../workers/x.ts'",
      reason:
        'core is what every process shares: what it imports from one of them would load that process into all others',
    },
  ]);
  rmSync(root, { recursive: true });
});

test('comments are told from strings and regular expressions that look like them', () => {
  assert.is(stripComments("a('http://x'); // b"), "a('http://x');     ");
  assert.is(stripComments('x = /["/*]/; y /* c\nd */ = 1'), 'x = /["/*]/; y     \n     = 1');
  assert.is(stripComments('`// ${a}` // b'), '`// ${a}`     ');
  assert.is(stripComments('a / b // c / d'), 'a / b         ');
  assert.is(stripCommentsAndStrings("f('it\\'s', /a'/g) // g"), 'f(       ,      )     ');
});

test.run();
