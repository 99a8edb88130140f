import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../../core/testing/wait-for.ts';
import { startFakeNetworks } from './start.ts';

/** Every field that a test looks at, whichever route answered. */
interface Body {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly dailyBudgetMinor: number;
  readonly currency: string;
  readonly spendMicros: number;
  readonly campaigns: readonly unknown[];
  readonly calls: readonly { n: number; op: string; id: string }[];
  readonly faults: readonly unknown[];
  readonly messages: readonly { subject: string }[];
  readonly MessageId: string;
  readonly error: { message: string };
}

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly body: Body;
}

async function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-networks-'));
  const start = () => startFakeNetworks({ dir: join(dir, 'data'), logFile: join(dir, 'log') });
  let server = await start();
  const call = async (method: string, path: string, body?: unknown, token = 'Bearer t'): Promise<Reply> => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { ...(token === '' ? {} : { authorization: token }), connection: 'close' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, text, body: (json ? JSON.parse(text) : {}) as Body };
  };
  return {
    call,
    kill: async () => {
      process.kill(server.pid, 'SIGKILL');
      await server.stop();
      server = await start();
    },
    url: () => server.url,
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

const autumn = { name: 'Autumn', tag: 'c-1', status: 'ACTIVE', dailyBudgetMinor: 5_000, currency: 'EUR' };
const campaigns = '/meta/v1/accounts/shop-1/campaigns';

test('a campaign is created, changed and read, on its account only', async () => {
  await using world = await setup();
  const created = await world.call('POST', campaigns, autumn);
  assert.is(created.status, 201);
  assert.is(created.body.name, 'Autumn');
  const path = `${campaigns}/${created.body.id}`;
  const changed = await world.call('PATCH', path, { status: 'PAUSED', dailyBudgetMinor: 7_000 });
  assert.is(changed.status, 200);
  const read = await world.call('GET', path);
  assert.equal([read.body.status, read.body.dailyBudgetMinor, read.body.name], ['PAUSED', 7_000, 'Autumn']);
  assert.is((await world.call('GET', path.replace('shop-1', 'shop-2'))).status, 404);
  assert.is((await world.call('GET', path.replace('meta', 'tiktok'))).status, 404);
  assert.is((await world.call('GET', path.replace('meta', 'myspace'))).status, 404);
});

test('the same campaign created twice is two campaigns, found by their tag', async () => {
  await using world = await setup();
  await world.call('POST', campaigns, autumn);
  await world.call('POST', campaigns, autumn);
  await world.call('POST', campaigns, { ...autumn, tag: 'c-2' });
  assert.is((await world.call('GET', `${campaigns}?tag=c-1`)).body.campaigns.length, 2);
  assert.is((await world.call('GET', campaigns)).body.campaigns.length, 3);
  assert.is((await world.call('GET', `${campaigns.replace('shop-1', 'shop-2')}?tag=c-1`)).body.campaigns.length, 0);
});

test('a call without a token is refused with 401, a faulty body with 400 naming the field', async () => {
  await using world = await setup();
  assert.is((await world.call('POST', campaigns, autumn, '')).status, 401);
  assert.is((await world.call('POST', campaigns, autumn, 'Bearer ')).status, 401);
  const faulty = await world.call('POST', campaigns, { ...autumn, currency: 'euro' });
  assert.is(faulty.status, 400);
  assert.match(faulty.body.error.message, /^currency/);
  assert.is((await world.call('GET', '/_log')).body.calls.length, 0);
});

test('metrics of a day are the same whenever they are asked for and differ between days', async () => {
  await using world = await setup();
  const { body } = await world.call('POST', campaigns, autumn);
  const day = (date: string) => world.call('GET', `${campaigns}/${body.id}/metrics?date=${date}`);
  const first = await day('2026-11-01');
  assert.is(first.body.currency, 'EUR');
  assert.equal((await day('2026-11-01')).body, first.body);
  assert.is.not((await day('2026-11-02')).body.spendMicros, first.body.spendMicros);
  assert.is((await day('yesterday')).status, 400);
});

test('a fault hits the calls it names as often as it says and no others', async () => {
  await using world = await setup();
  await world.call('POST', '/_control/faults', [
    { network: 'meta', account: 'shop-1', kind: 'error500', times: 1 },
    { network: 'meta', account: 'shop-1', kind: 'error429', times: 1 },
    { network: 'tiktok', kind: 'error400', times: 1 },
  ]);
  assert.is((await world.call('POST', campaigns.replace('shop-1', 'shop-2'), autumn)).status, 201);
  assert.is((await world.call('GET', campaigns)).status, 200);
  assert.is((await world.call('POST', campaigns, autumn)).status, 500);
  assert.is((await world.call('POST', campaigns, autumn)).status, 429);
  assert.is((await world.call('POST', campaigns, autumn)).status, 201);
  await world.call('DELETE', '/_control/faults');
  assert.is((await world.call('POST', campaigns.replace('meta', 'tiktok'), autumn)).status, 201);
});

test('commit_then_drop takes effect although the caller gets no answer', async () => {
  await using world = await setup();
  await world.call('POST', '/_control/faults', [{ kind: 'commit_then_drop', times: 1 }]);
  let failed = false;
  await world.call('POST', campaigns, autumn).catch(() => (failed = true));
  assert.ok(failed);
  assert.is((await world.call('GET', `${campaigns}?tag=c-1`)).body.campaigns.length, 1);
});

test('a hanging call takes no effect and ends when its caller gives up', async () => {
  await using world = await setup();
  await world.call('POST', '/_control/faults', [{ kind: 'hang', times: 1 }]);
  const request = new AbortController();
  const hanging = fetch(`${world.url()}${campaigns}`, {
    method: 'POST',
    headers: { authorization: 'Bearer t' },
    body: JSON.stringify(autumn),
    signal: request.signal,
  }).catch((error: unknown) => error instanceof Error && error.name);
  await waitFor('the fault to be taken', async () => {
    const { faults } = (await world.call('GET', '/_control/faults')).body;
    return faults.length === 0;
  });
  request.abort();
  assert.is(await hanging, 'AbortError');
  assert.is((await world.call('GET', campaigns)).body.campaigns.length, 0);
});

test('campaigns, the log of accepted calls and mail survive kill -9', async () => {
  await using world = await setup();
  const { body } = await world.call('POST', campaigns, autumn);
  await world.call('PATCH', `${campaigns}/${body.id}`, { status: 'PAUSED' });
  await world.call('POST', '/v2/email/outbound-emails', mail('<b>Hello</b>'));
  await world.kill();
  assert.is((await world.call('GET', `${campaigns}/${body.id}`)).body.status, 'PAUSED');
  const next = await world.call('POST', campaigns, autumn);
  assert.is.not(next.body.id, body.id);
  const log = await world.call('GET', '/_log?after=1');
  assert.equal(
    log.body.calls.map(({ n, op, id }) => [n, op, id]),
    [
      [2, 'update', body.id],
      [3, 'create', next.body.id],
    ],
  );
  assert.is((await world.call('GET', '/mailbox/messages')).body.messages[0]?.subject, '<b>Hello</b>');
});

test('the mailbox page escapes what was sent to it', async () => {
  await using world = await setup();
  const sent = await world.call('POST', '/v2/email/outbound-emails', mail('<script>alert(1)</script>'));
  assert.type(sent.body.MessageId, 'string');
  const page = await world.call('GET', '/mailbox');
  assert.match(page.text, '&lt;script&gt;alert(1)&lt;/script&gt;');
  assert.not.match(page.text, '<script>');
  assert.is((await world.call('POST', '/v2/email/outbound-emails', {})).status, 400);
});

function mail(subject: string) {
  return {
    FromEmailAddress: 'ads@example.com',
    Destination: { ToAddresses: ['merchant@example.com'] },
    Content: { Simple: { Subject: { Data: subject }, Body: { Text: { Data: 'Your campaign is live.' } } } },
  };
}

test.run();
