import { createHash } from 'node:crypto';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { derivedAccountId } from './accounts.ts';
import type { HashedMember } from './audience-network.ts';
import { connectAdNetworks, sameCredentials } from './connect.ts';
import type { AdAccount } from './network.ts';
import { systemClock } from '../../runtime/clock.ts';
import { LanewayError } from '../../runtime/errors.ts';
import { unusedPrefix } from '../../testing/world.ts';

/** What the audiences of every network must do for us. */
const { networksUrl } = unusedPrefix();
const networks = connectAdNetworks({
  baseUrl: networksUrl,
  credentials: sameCredentials('test'),
  clock: systemClock,
});
const signal = () => AbortSignal.timeout(20_000);
const hash = (text: string): string => createHash('sha256').update(text).digest('hex');
const uploads = z.object({
  calls: z.array(
    z.object({
      account: z.string(),
      kind: z.string(),
      body: z.looseObject({
        add: z.array(z.string()).default([]),
        remove: z.array(z.string()).default([]),
        replace: z.unknown().optional(),
      }),
    }),
  ),
});

/** Who is in an audience by what the network was told, oldest first. */
async function members({ accountId }: AdAccount): Promise<string[]> {
  const log = uploads.parse(await (await fetch(`${networksUrl}/_log`)).json());
  const held = new Set<string>();
  for (const { account, kind, body } of log.calls) {
    if (account !== accountId || kind !== 'audience_members') continue;
    assert.is(body.replace, undefined);
    for (const each of body.add) held.add(each);
    for (const each of body.remove) held.delete(each);
  }
  return [...held].toSorted();
}

for (const network of networks) {
  const { audiences } = network;

  test(`${network.id}: members are added and taken away, twice as once, and an audience is found and deleted`, async () => {
    const account = { accountId: derivedAccountId(unusedPrefix().stack), currency: 'EUR', timeZone: 'UTC' };
    const first: HashedMember[] = Array.from({ length: 1_000 }, (_, n) => ({ email: hash(`${n}@example.com`) }));
    assert.is(await audiences.find(account, 'lw-tag', signal()), undefined);
    const id = await audiences.create(account, 'Buyers (lw-tag)', first, signal());
    assert.is(await audiences.find(account, 'lw-tag', signal()), id);
    const both = { email: hash('a@example.com'), phone: hash('+4915123456789') };
    for (let times = 0; times < 2; times++) {
      await audiences.change(account, id, { add: [...first, both], remove: [] }, signal());
      await audiences.change(account, id, { add: [], remove: first.slice(1) }, signal());
    }
    assert.equal(await members(account), [hash('0@example.com'), both.email, both.phone].toSorted());
    for (let times = 0; times < 2; times++) await audiences.remove(account, id, signal());
    assert.is(await audiences.find(account, 'lw-tag', signal()), undefined);
  });

  test(`${network.id}: an upload without an answer is unknown, one that comes too often is limited`, async () => {
    const account = { accountId: derivedAccountId(unusedPrefix().stack), currency: 'EUR', timeZone: 'UTC' };
    const first: HashedMember[] = Array.from({ length: 1_000 }, (_, n) => ({ email: hash(`${n}@example.com`) }));
    const id = await audiences.create(account, 'Buyers (lw-tag)', first, signal());
    for (const [kind, code] of [
      ['commit_then_drop', 'effect.outcome_unknown'],
      ['error429', 'effect.limited'],
    ] as const) {
      const faults = [{ network: network.id, account: account.accountId, kind, times: 1 }];
      await fetch(`${networksUrl}/_control/faults`, { method: 'POST', body: JSON.stringify(faults) });
      const change = audiences.change(account, id, { add: first.slice(0, 1), remove: [] }, signal());
      const thrown = await change.catch((error: unknown) => error);
      assert.ok(thrown instanceof LanewayError);
      assert.equal([kind, thrown.code], [kind, code]);
    }
  });
}

test.run();
