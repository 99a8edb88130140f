// test-deadline: 180s
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

/** Each with a mistake, and what is said of it. */
const commands: Record<string, [mistake: string, complaint: string]> = {
  'events.ts': ['lst', 'there is no command "lst"'],
  'bench/main.ts': ['--pairs 0', '--pairs takes a whole number from 1 to 100, not "0"'],
  'chaos/chaos.ts': ['--events -5', `Option '--events' takes a value that does not begin with "-"`],
  'chaos/compare-bullmq.ts': ['--events x', '--events takes a whole number from 1 to 1000000, not "x"'],
  'check.ts': ['lint', "Unexpected argument 'lint'. This command does not take positional arguments"],
  'images/main.ts': ['--sbom', "Option '--sbom <value>' argument missing"],
  'import/main.ts': ['--products 0', '--products takes a whole number from 1 to 1000000, not "0"'],
  'local/start.ts': ['--workers -1', `Option '--workers' takes a value that does not begin with "-"`],
  'openapi.ts': ['--foo', "Unknown option '--foo'"],
  'pulumi/deep/main.ts': ['--stack x', '--stack takes dev, staging, production, not "x"'],
  'pulumi/graph-command.ts': ['--stack x', '--stack takes dev, staging, production, not "x"'],
  'reports/main.ts': ['--days 701', '--days takes a whole number from 1 to 700, not "701"'],
  'scale/main.ts': ['--simulate=3', "Option '--simulate' does not take an argument"],
  'supply-chain/main.ts': ['sbom --image shop', 'sbom takes --image worker|gateway'],
  'test.ts': ['--files workers/nosuch.test.ts', 'there is no file workers/nosuch.test.ts'],
};

async function run(command: string, args: readonly string[]) {
  const child = spawn(process.execPath, [join(import.meta.dirname, command), ...args]);
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: child.exitCode, stdout, stderr };
}

test('a mistake is told with its reason and the usage', async () => {
  for (const [command, [mistake, complaint]] of Object.entries(commands)) {
    const { code, stdout, stderr } = await run(command, mistake.split(' '));
    assert.equal([code, stdout], [2, ''], command);
    assert.ok(stderr.startsWith(`${complaint}\n\nusage: `), `${command}: ${stderr}`);
  }
});

test('asking for help is no mistake', async () => {
  for (const command of ['events.ts', 'check.ts', 'openapi.ts', 'supply-chain/main.ts', 'test.ts']) {
    const { code, stdout, stderr } = await run(command, ['--help']);
    assert.equal([code, stderr], [0, ''], command);
    assert.match(stdout, /^usage: (npm|node) /);
  }
});

test.run();
