import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { waitFor } from '../../../core/testing/wait-for.ts';
import { startFakeNetworks } from './start.ts';

/** Answers are looked at by path, whatever their shape. */
type Json = { readonly [name: string]: Json } & { readonly [index: number]: Json };

interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
  readonly body: Json;
}

type World = Awaited<ReturnType<typeof setup>>;

async function setup() {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-networks-'));
  const start = () => startFakeNetworks({ dir: join(dir, 'data'), logFile: join(dir, 'log') });
  let server = await start();
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Reply> => {
    const response = await fetch(`${server.url}${path}`, {
      method,
      headers: { authorization: 'Bearer t', 'access-token': 't', connection: 'close', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(5_000),
    });
    const text = await response.text();
    const json = response.headers.get('content-type')?.includes('json') ?? false;
    return { status: response.status, headers: response.headers, text, body: (json ? JSON.parse(text) : {}) as Json };
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

const metaCampaign = { name: 'Autumn', objective: 'OUTCOME_SALES', special_ad_categories: [], daily_budget: 5_000 };
const metaCampaigns = '/meta/v26.0/act_1/campaigns';
const tiktokCampaign = {
  advertiser_id: '1',
  campaign_name: 'Autumn',
  objective_type: 'WEB_CONVERSIONS',
  budget_mode: 'BUDGET_MODE_DAY',
  budget: 50.07,
};
const idOf = ({ text }: Reply): string => /"id":"(\d+)"/.exec(text)?.[1] ?? '';
const tiktok = (path: string) => `/tiktok/open_api/v1.3/${path}`;

/** Budget and campaign as Google wants them: by temporary names, in one request. */
const googleCreation = (name: string, n: number) => {
  const budget = `customers/1/campaignBudgets/-${n}`;
  return [
    { campaignBudgetOperation: { create: { resourceName: budget, name, amountMicros: '50000000' } } },
    { campaignOperation: { create: { name, status: 'PAUSED', campaignBudget: budget, manualCpc: {} } } },
  ];
};

async function googleToken(world: World): Promise<Record<string, string>> {
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'r' });
  const answer = await fetch(`${world.url()}/google_ads/token`, { method: 'POST', body: form });
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return { authorization: `Bearer ${token}` };
}
const google = (method: string) => `/google_ads/v26/customers/1/googleAds:${method}`;

test('Google: one bad operation undoes all of them, unless partial failure was asked for', async () => {
  await using world = await setup();
  const token = await googleToken(world);
  const operations = [...googleCreation('One', 1), ...googleCreation('One\n', 2)];
  const whole = await world.call('POST', google('mutate'), { mutateOperations: operations }, token);
  assert.is(whole.status, 400);
  assert.is(
    whole.body['error']?.['details']?.[0]?.['errors']?.[0]?.['errorCode']?.['campaignError'],
    'INVALID_CAMPAIGN_NAME',
  );
  assert.is((await world.call('GET', '/_log')).body['last'], 0);
  const part = await world.call(
    'POST',
    google('mutate'),
    { mutateOperations: operations, partialFailure: true },
    token,
  );
  assert.is(part.status, 200);
  assert.equal(part.body['mutateOperationResponses']?.[3], {});
  assert.is(
    part.body['partialFailureError']?.['details']?.[0]?.['errors']?.[0]?.['location']?.['fieldPathElements']?.[0]?.[
      'index'
    ],
    3,
  );
  assert.is((await world.call('GET', '/_log')).body['last'], 1);
});

test('Google: nothing is done by a call that only validates; errors of a stream are wrapped; the pause lies deep inside', async () => {
  await using world = await setup();
  const token = await googleToken(world);
  const validated = await world.call(
    'POST',
    google('mutate'),
    { mutateOperations: googleCreation('One', 1), validateOnly: true },
    token,
  );
  assert.equal([validated.status, validated.text], [200, '{}']);
  assert.is((await world.call('GET', '/_log')).body['last'], 0);
  await world.call('POST', '/_control/faults', [{ network: 'google_ads', kind: 'error429', on: 'reads', times: 1 }]);
  const limited = await world.call(
    'POST',
    google('searchStream'),
    { query: 'SELECT campaign.id FROM campaign' },
    token,
  );
  assert.is(limited.status, 429);
  const failure = limited.body[0]?.['error']?.['details']?.[0]?.['errors']?.[0];
  assert.is(failure?.['details']?.['quotaErrorDetails']?.['retryDelay'], '1s');
  const expired = await world.call('POST', google('mutate'), { mutateOperations: googleCreation('One', 1) });
  assert.is(expired.status, 401);
});

test('Meta: budgets are read back as strings, the effective status lags, usage is in the headers before it runs out', async () => {
  await using world = await setup();
  const created = await world.call('POST', metaCampaigns, metaCampaign);
  const read = await world.call('GET', `/meta/v26.0/${idOf(created)}`);
  assert.equal(
    [read.body['daily_budget'], read.body['status'], read.body['effective_status']],
    ['5000', 'ACTIVE', 'IN_PROCESS'],
  );
  assert.match(read.headers.get('x-business-use-case-usage') ?? '', 'estimated_time_to_regain_access');
  await world.call('POST', '/_control/faults', [{ network: 'meta', kind: 'error429', times: 1 }]);
  const limited = await world.call('POST', metaCampaigns, metaCampaign);
  assert.equal([limited.status, limited.body['error']?.['code']], [400, 80004]);
  assert.is((await world.call('POST', metaCampaigns, metaCampaign)).status, 200);
  assert.is((await world.call('GET', '/_log')).body['last'], 2);
});

test('TikTok: failures come under HTTP 200, without its slash a path leads nowhere', async () => {
  await using world = await setup();
  const refused = await world.call('POST', tiktok('campaign/create/'), { ...tiktokCampaign, budget: -1 });
  assert.equal([refused.status, refused.body['code']], [200, 40002]);
  assert.is((await world.call('POST', tiktok('campaign/create'), tiktokCampaign)).status, 404);
  const made = await world.call('POST', tiktok('campaign/create/'), tiktokCampaign);
  assert.equal([made.body['code'], typeof made.body['data']?.['campaign_id']], [0, 'string']);
  const same = await world.call('POST', tiktok('campaign/create/'), tiktokCampaign);
  assert.is(same.body['code'], 40002);
});

test('a listing that lags shows what was made only later, though it can be read by its id', async () => {
  await using world = await setup();
  await world.call('POST', '/_control/lag', { network: 'meta', ms: 60_000 });
  const made = await world.call('POST', metaCampaigns, metaCampaign);
  assert.equal((await world.call('GET', metaCampaigns)).body['data'], []);
  assert.is((await world.call('GET', `/meta/v26.0/${idOf(made)}`)).status, 200);
  await world.call('POST', '/_control/lag', { network: 'meta', ms: 0 });
  assert.is((await world.call('GET', metaCampaigns)).body['data']?.[0]?.['name'], 'Autumn');
});

test('a fault hits the calls it names as often as it says and no others', async () => {
  await using world = await setup();
  await world.call('POST', '/_control/faults', [
    { network: 'meta', account: '1', kind: 'error500', times: 1 },
    { network: 'meta', account: '1', kind: 'conflict', times: 1 },
    { network: 'tiktok', kind: 'error400', times: 1 },
  ]);
  assert.is((await world.call('POST', metaCampaigns.replace('act_1', 'act_2'), metaCampaign)).status, 200);
  assert.is((await world.call('GET', metaCampaigns)).status, 200);
  assert.is((await world.call('POST', metaCampaigns, metaCampaign)).status, 500);
  assert.is((await world.call('POST', metaCampaigns, metaCampaign)).status, 400);
  assert.is((await world.call('POST', metaCampaigns, metaCampaign)).status, 200);
  await world.call('DELETE', '/_control/faults');
  assert.is((await world.call('POST', tiktok('campaign/create/'), tiktokCampaign)).body['code'], 0);
});

test('faults that have not happened yet can be read, of networks and of messages', async () => {
  await using world = await setup();
  for (const [path, planned] of [
    ['faults', { network: 'meta', kind: 'error500', times: 1 }],
    ['message-faults', { service: 'email', kind: 'throttled', times: 2 }],
  ] as const) {
    assert.equal((await world.call('GET', `/_control/${path}`)).body, { faults: [] });
    await world.call('POST', `/_control/${path}`, [planned]);
    const left = (await world.call('GET', `/_control/${path}`)).body['faults']?.[0];
    assert.equal([left?.['kind'], left?.['times']], [planned.kind, planned.times]);
  }
});

test('a hanging call takes no effect and ends when its caller gives up', async () => {
  await using world = await setup();
  await world.call('POST', '/_control/faults', [{ kind: 'hang', times: 1 }]);
  const request = new AbortController();
  const hanging = fetch(`${world.url()}${metaCampaigns}`, {
    method: 'POST',
    headers: { authorization: 'Bearer t' },
    body: JSON.stringify(metaCampaign),
    signal: request.signal,
  }).catch((error: unknown) => error instanceof Error && error.name);
  await waitFor('the fault to be taken', async () => {
    const { faults } = (await world.call('GET', '/_control/faults')).body;
    return JSON.stringify(faults) === '[]';
  });
  request.abort();
  assert.is(await hanging, 'AbortError');
  assert.equal((await world.call('GET', metaCampaigns)).body['data'], []);
});

test('campaigns, the log of accepted calls and mail survive kill -9', async () => {
  await using world = await setup();
  const id = idOf(await world.call('POST', metaCampaigns, metaCampaign));
  await world.call('POST', `/meta/v26.0/${id}`, { status: 'PAUSED' });
  await world.call('POST', '/v2/email/outbound-emails', mail('<b>Hello</b>'));
  await world.kill();
  assert.is((await world.call('GET', `/meta/v26.0/${id}`)).body['status'], 'PAUSED');
  const next = await world.call('POST', metaCampaigns, metaCampaign);
  assert.is.not(next.body['id'], id);
  const log = (await world.call('GET', '/_log?after=1')).body['calls'];
  assert.equal([log?.[0]?.['op'], log?.[0]?.['id'], log?.[1]?.['op'], log?.[2]], ['update', id, 'create', undefined]);
  assert.is((await world.call('GET', '/mailbox/messages')).body['messages']?.[0]?.['subject'], '<b>Hello</b>');
});

test('the mailbox page escapes what was sent to it', async () => {
  await using world = await setup();
  const sent = await world.call('POST', '/v2/email/outbound-emails', mail('<script>alert(1)</script>'));
  assert.type(sent.body['MessageId'], 'string');
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
