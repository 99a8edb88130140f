import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { registry } from '../../core/events/registry.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { parseArguments as parseBackfill } from '../backfill/parse-arguments.ts';
import { parseArguments as parseDlq } from '../dlq/parse-arguments.ts';
import { parseArguments as parseLanes } from '../lanes/parse-arguments.ts';
import { projectRoot } from '../local/data-folder.ts';
import { parseArguments as parsePlatform } from '../platform/parse-arguments.ts';
import { decode } from '../../workers/decode.ts';
import { parseArguments as parseRetention } from '../retention/parse-arguments.ts';

const read = (file: string): string => readFileSync(join(projectRoot, file), 'utf8');
const { queues } = topologyOf(registry, 'laneway');
const handlers = [...registry.values()].flatMap((event) => event.handlers.map(({ name }) => name));
const known = { queues: queues.map(({ deadLetterQueue }) => deadLetterQueue.name), handlers };

type Parsed = { kind: string; message?: string };
/** What reads the arguments of a command whose arguments runbooks give. */
const parsers: Readonly<Record<string, (args: readonly string[]) => Parsed>> = {
  lanes: (args) => parseLanes(args, 'someone'),
  dlq: (args) => parseDlq(args, 'someone', known),
  platform: (args) => parsePlatform(args, 'someone'),
  retention: (args) => parseRetention(args, 'someone'),
  'events -- backfill': (args) => parseBackfill(args, 'someone', handlers),
};

/** What a reader puts in for the words in capitals. */
const values: Readonly<Record<string, string>> = {
  M: 'shop-1',
  MERCHANT: 'shop-1',
  N: '5',
  TEXT: 'because',
  NAME: 'someone',
  CODE: 'handler.failed',
  RUN: '3f0c9f6e-5f5b-4a63-9d0e-0d1d5a5f4c11',
  ID: 'evt-1',
  RESOURCE: 'webhook_endpoints',
  HANDLER: handlers[0] ?? '',
};
const valuesAfter: Readonly<Record<string, string>> = {
  '--queue': known.queues[0] ?? '',
  '--handler': handlers[0] ?? '',
};

function words(text: string): string[] {
  const found = [...text.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '');
  return found.map((word, index) =>
    word === 'NAME' ? (valuesAfter[found[index - 1] ?? ''] ?? 'someone') : (values[word] ?? word),
  );
}

/** Commands as documents give them: `npm run NAME`, or `npm run NAME -- ARGUMENTS`, to the end of the code or to a remark. */
const commandsIn = (text: string): { script: string; args: string }[] =>
  [...text.matchAll(/npm run (?:-s )?([a-z:-]+)(?: -- ([^`\n#]*))?/g)].map(([, script = '', args = '']) => ({
    script,
    args: args.trim(),
  }));

function complaint(script: string, args: string): string | undefined {
  const scripts = (JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts;
  if (!(script in scripts)) return `there is no npm run ${script}`;
  const backfill = script === 'events' && args.startsWith('backfill');
  const parse = parsers[backfill ? 'events -- backfill' : script];
  if (parse === undefined || args === '' || args === '…') return undefined;
  const parsed = parse(words(backfill ? args.slice('backfill'.length) : args));
  return parsed.kind === 'invalid' ? `npm run ${script} -- ${args}: ${parsed.message ?? ''}` : undefined;
}

test('every command that a runbook or a guide gives exists and takes the arguments that it is given', () => {
  const files = [
    ...globSync('ops/runbooks/*.md', { cwd: projectRoot }),
    'docs/operating.md',
    'docs/deploying.md',
    'SECURITY.md',
  ];
  const given = files.flatMap((file) => commandsIn(read(file)).map((command) => ({ file, ...command })));
  assert.ok(given.length >= 30, `${given.length} commands`);
  assert.equal(
    given.flatMap(({ file, script, args }) => {
      const what = complaint(script, args);
      return what === undefined ? [] : [`${file}: ${what}`];
    }),
    [],
  );
});

test('a command that is not there, or does not take what it is given, is named', () => {
  assert.is(complaint('lane', ''), 'there is no npm run lane');
  assert.match(complaint('lanes', 'list --state stuck') ?? '', /stuck/);
  assert.match(complaint('dlq', 'redrive --cod x') ?? '', /--cod/);
});

test('the first event of the deployment guide is one that its queue takes', () => {
  const guide = read('docs/deploying.md');
  const [, queueName = '', merchant = '', id = '', body = ''] =
    /jq -r \.(\w+)\)"[\s\S]*?--message-group-id (\S+) --message-deduplication-id (\S+)[\s\S]*?--message-body '([^']+)'/.exec(
      guide,
    ) ?? [];
  const queue = queues.find(({ name }) => name === queueName);
  if (queue === undefined) throw new Error(`the guide names no queue of the registry: ${queueName}`);
  const message = {
    messageId: 'm-1',
    receiptHandle: 'r-1',
    body,
    receiveCount: 1,
    firstReceivedAtMs: 0,
    attributes: {},
  };
  const decoded = decode(message, queue, registry);
  if (!decoded.ok) throw new Error(`${decoded.fault.code}: ${decoded.fault.message}`);
  assert.equal([decoded.event.merchantId, decoded.event.eventId], [merchant, id]);
});

test.run();
