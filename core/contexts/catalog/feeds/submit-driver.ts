import type { Kysely } from 'kysely';
import { z } from 'zod';
import type { Database } from '../../../database/tables.ts';
import type { DestinationDriver, EffectCall, EffectResult } from '../../../events/destination.ts';
import type { Emission } from '../../../events/handler.ts';
import type { DestinationLimits } from '../../../events/destination-limits.ts';
import type { Clock } from '../../../runtime/clock.ts';
import { LanewayError } from '../../../runtime/errors.ts';
import type { FeedHttp } from './call-network.ts';
import type { FeedAccount } from './feed-account.ts';
import { type FeedKey, recordVerdicts } from './feed-items.ts';
import type { BoundNetwork, FeedNetwork } from './feed-network.ts';
import { createGoogleMerchant } from './google-merchant.ts';
import { createMetaCatalog } from './meta-catalog.ts';
import { noteCheck, readPart, noteProducts } from './part-rows.ts';
import { checkItems } from './check-items.ts';
import { tellOwner } from '../../notifications/events.ts';
import { tellApps } from '../../webhooks/events.ts';
import { type FeedOutcome, feedOutcome, itemVerdict } from './feed-outcome.ts';

/**
 * Submission of feeds. Two kinds of objects: a part of a run, whose items are sent as they are, and the check of a feed, which
 * reads back what the network shows of what was submitted.
 */
export const SUBMISSION = 'product-feed';
export const submissionDestination = (network: string): string => `${SUBMISSION}:${network}`;

const partDesired = z.looseObject({ kind: z.literal('part'), feedId: z.string(), run: z.int(), part: z.int() });
const checkDesired = z.looseObject({ kind: z.literal('check'), feedId: z.string() });
const desired = z.discriminatedUnion('kind', [partDesired, checkDesired]);

/** How long a network is given before what it took is looked at, and looked at again. */
const CHECK_AFTER_MS = 300_000;

export interface FeedSubmission {
  db: Kysely<Database>;
  merchantApi: FeedHttp;
  metaCatalog: FeedHttp;
  clock: Clock;
}

export function createFeedSubmitDriver({ db, merchantApi, metaCatalog, clock }: FeedSubmission): DestinationDriver {
  const google = createGoogleMerchant(merchantApi);
  const meta = createMetaCatalog(metaCatalog);

  /** The network with the account bound to it. */
  const at = (account: FeedAccount): BoundNetwork => {
    switch (account.network) {
      case 'google_merchant':
        return bind(google, account);
      case 'meta_catalog':
        return bind(meta, account);
      default:
        return account satisfies never;
    }
  };

  const sendPart = async (
    key: FeedKey,
    { run, part }: z.infer<typeof partDesired>,
    signal: AbortSignal,
  ): Promise<FeedOutcome> => {
    const found = await readPart(db, key, run, part);
    if (found === undefined) throw new LanewayError('effect.rejected', `part ${part} of run ${run} is gone`);
    const verdicts = found.lines.length === 0 ? [] : await at(found.account).submit(found.lines, signal);
    return { verdicts: verdicts.map((each) => itemVerdict.parse({ ...each, run })), again: [], open: 0 };
  };

  return {
    limits: (destination): DestinationLimits =>
      destination === submissionDestination('meta_catalog') ? meta.limits : google.limits,

    async send(call, signal) {
      const wanted = desired.parse(call.desired);
      const key = { merchantId: call.merchantId, feedId: wanted.feedId };
      const sent =
        wanted.kind === 'part'
          ? await sendPart(key, wanted, signal)
          : await checkItems(db, key, at, clock.now(), signal);
      return resultOf(call, sent);
    },

    // Items are states under a version: sending a part again, or reading again, is always right.
    probe: () => Promise.resolve(undefined),
    satisfies: () => true,

    async recordSuccess(trx, call, { actual }, _, context) {
      const { now } = context;
      const wanted = desired.parse(call.desired);
      const key = { merchantId: call.merchantId, feedId: wanted.feedId };
      const { verdicts, again, open } = feedOutcome.parse(actual);
      await recordVerdicts(trx, key, verdicts, wanted.kind === 'part' ? 'submission' : 'check', now);
      await noteProducts(trx, key, again);
      const refused = verdicts.filter(({ state }) => state === 'rejected').length;
      if (refused > 0) for (const emission of tellRefused(call, wanted.feedId, refused, now)) context.emit(emission);
      const isOpen = open > 0 || (wanted.kind === 'part' && verdicts.some(({ state }) => state === 'submitted'));
      if (isOpen) await noteCheck(trx, key, new Date(now + CHECK_AFTER_MS));
    },

    async recordFailure(trx, call, error, { now }) {
      const wanted = desired.parse(call.desired);
      if (wanted.kind === 'check') return;
      const key = { merchantId: call.merchantId, feedId: wanted.feedId };
      const found = await readPart(trx, key, wanted.run, wanted.part);
      const issue = {
        severity: 'error',
        code: 'network.not_submitted',
        attribute: 'product',
        message: error.message.slice(0, 500),
      } as const;
      const verdicts = (found?.lines ?? []).map(({ item }) => ({
        itemId: item,
        run: wanted.run,
        state: 'rejected' as const,
        issues: [issue],
      }));
      await recordVerdicts(trx, key, verdicts, 'submission', now);
    },
  };
}

function tellRefused(call: EffectCall, feedId: string, count: number, nowMs: number): Emission[] {
  const at = new Date(nowMs).toISOString();
  const network = call.destination.slice(SUBMISSION.length + 1);
  return [
    tellApps('feed.items_rejected', { feedId, network, count }, at),
    tellOwner('feed-items-rejected', `${call.objectKey}:${call.version}`, { feedId, network, count }, at),
  ];
}

const bind = <Account>(network: FeedNetwork<Account>, account: Account): BoundNetwork => ({
  submit: (lines, signal) => network.submit(account, lines, signal),
  readBack: (itemIds, signal) => network.readBack(account, itemIds, signal),
});

const resultOf = ({ objectKey }: EffectCall, sent: FeedOutcome): EffectResult => ({
  externalId: objectKey,
  actual: { ...sent },
});
