import type { Random } from './random.ts';

/** What a load is made of. Billing cycles are not drawn: each closes its merchant's month. */
const shares = [
  ['AdPerformanceDataIngestedEvent', 0.6],
  ['ProductCoreDataUpdatedEvent', 0.2],
  ['OrderDataAttributedToAdEvent', 0.1],
  ['CampaignStateChangeRequestedEvent', 0.04],
  ['AffiliateConversionAttributionRequiredEvent', 0.025],
  ['NotificationDispatchRequestedEvent', 0.012],
  ['ThirdPartyAppWebhookEvent', 0.01],
  ['AudienceSegmentUpdateRequestedEvent', 0.007],
  ['ProductCatalogFeedReadyForSubmissionEvent', 0.004],
  ['DataRetentionJobTriggerEvent', 0.002],
] as const;

export type DrawnType = (typeof shares)[number][0];

/** From here on one of each kind comes first, so that a small load has them all. */
const onePerKindFrom = 10;

export function drawType(random: Random, n: number): DrawnType {
  const drawn = random.next();
  const planned = shares[n - onePerKindFrom];
  if (planned !== undefined) return planned[0];
  let sum = 0;
  for (const [type, share] of shares) {
    sum += share;
    if (drawn < sum) return type;
  }
  return shares[0][0];
}
