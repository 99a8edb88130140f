import { z } from '@hono/zod-openapi';
import { nextPage } from '../paging.ts';
import { feedAccount } from '../../core/contexts/catalog/feeds/feed-account.ts';
import type { Feed, FeedItemRow } from '../../core/contexts/catalog/feeds/feed-rows.ts';

/** What merchants send and get about product feeds. */
export const feedItemStates = [
  'invalid',
  'pending',
  'submitted',
  'accepted',
  'rejected',
  'removing',
  'removed',
] as const satisfies readonly FeedItemRow['state'][];

export const newFeed = z
  .strictObject({
    account: feedAccount,
    refreshMinutes: z
      .int()
      .min(5)
      .max(10_080)
      .default(60)
      .openapi({ description: 'How often what changed is submitted.' }),
    fullRefreshHours: z
      .int()
      .min(1)
      .max(720)
      .default(24)
      .openapi({ description: 'How often everything is submitted, changed or not.' }),
  })
  .openapi('NewFeed', {
    example: {
      account: {
        network: 'google_merchant',
        merchantCenterId: '5550001',
        dataSourceId: '1001',
        contentLanguage: 'en',
        feedLabel: 'US',
      },
      refreshMinutes: 60,
      fullRefreshHours: 24,
    },
  });

export const feed = z
  .object({
    feedId: z.string(),
    account: feedAccount,
    state: z.enum(['active', 'paused']),
    refreshMinutes: z.int(),
    fullRefreshHours: z.int(),
    nextRunAt: z.iso.datetime().nullable(),
    lastFullAt: z.iso.datetime().nullable(),
    lastRun: z
      .object({
        run: z.int(),
        mode: z.enum(['full', 'delta']),
        state: z.enum(['building', 'ready', 'submitted']),
        items: z.int(),
        removals: z.int(),
        invalid: z.int().openapi({ description: 'Items left out because the network would refuse them.' }),
        startedAt: z.iso.datetime(),
      })
      .nullable(),
    items: z.record(z.string(), z.int()).openapi({ description: 'How many items are in each state.' }),
  })
  .openapi('Feed');

export const feeds = z.object({ feeds: z.array(feed) }).openapi('Feeds');

const issue = z
  .object({
    severity: z.enum(['error', 'warning']).openapi({ description: 'error: the item was left out or refused.' }),
    code: z.string(),
    attribute: z.string(),
    message: z.string(),
  })
  .openapi('FeedIssue', {
    example: { severity: 'error', code: 'gtin.missing', attribute: 'gtin', message: 'a GTIN is needed' },
  });

const feedItem = z
  .object({
    itemId: z.string(),
    productId: z.string(),
    state: z.enum(feedItemStates).openapi({
      description: 'submitted: taken and not yet confirmed; accepted: the network shows what was sent.',
    }),
    issues: z.array(issue),
    submittedAt: z.iso.datetime().nullable(),
    checkedAt: z.iso.datetime().nullable(),
  })
  .openapi('FeedItem');

export const feedItemPage = z.object({ items: z.array(feedItem), next: nextPage }).openapi('FeedItemPage');

export const showFeed = ({ nextRunAt, lastFullAt, lastRun, ...row }: Feed): z.infer<typeof feed> => ({
  ...row,
  nextRunAt: nextRunAt?.toISOString() ?? null,
  lastFullAt: lastFullAt?.toISOString() ?? null,
  lastRun:
    lastRun === undefined
      ? null
      : {
          run: lastRun.run,
          mode: lastRun.mode,
          state: lastRun.state,
          items: lastRun.items,
          removals: lastRun.removals,
          invalid: lastRun.invalid,
          startedAt: lastRun.startedAt.toISOString(),
        },
});

export const showFeedItem = ({ submittedAt, checkedAt, ...row }: FeedItemRow): z.infer<typeof feedItem> => ({
  ...row,
  submittedAt: submittedAt?.toISOString() ?? null,
  checkedAt: checkedAt?.toISOString() ?? null,
});
