import { audienceSegmentUpdateRequestedEvent } from '../contexts/audiences/events.ts';
import { adPerformanceDataIngestedEvent } from '../contexts/ad-networks/events.ts';
import { affiliateConversionAttributionRequiredEvent } from '../contexts/affiliates/events.ts';
import { orderDataAttributedToAdEvent } from '../contexts/analytics/events.ts';
import { billingCycleEvent } from '../contexts/billing/events.ts';
import { campaignStateChangeRequestedEvent } from '../contexts/campaigns/events.ts';
import { notificationDispatchRequestedEvent } from '../contexts/notifications/events.ts';
import { thirdPartyAppWebhookEvent } from '../contexts/webhooks/events.ts';
import { productCatalogFeedReadyForSubmissionEvent, productCoreDataUpdatedEvent } from '../contexts/catalog/events.ts';
import { dataRetentionJobTriggerEvent } from '../contexts/retention/events.ts';
import type { EventDefinition, EventVersion } from './definition.ts';

/**
 * Every event of the system. Queues, topics, subscriptions, alarms, dashboards, documents and the DLQ commands derive from
 * it; it loads no handler.
 */
export type Registry = ReadonlyMap<string, EventDefinition>;

/** Throws an Error that lists every fault of the definitions: a registry that starts is a registry that holds. */
export function createRegistry(definitions: readonly EventDefinition[]): Registry {
  const faults = [...duplicateFaults(definitions), ...definitions.flatMap(definitionFaults)];
  if (faults.length > 0) throw new Error(`the event registry is not consistent:\n  ${faults.join('\n  ')}`);
  return new Map(definitions.map((definition) => [definition.name, definition]));
}

function duplicateFaults(definitions: readonly EventDefinition[]): string[] {
  const seen = new Set<string>();
  const names = definitions.flatMap((d) => [d.id, d.name, d.routingKey, ...d.handlers.map((h) => h.name)]);
  return names.flatMap((name) => (seen.has(name) ? [`${name} is used twice`] : (seen.add(name), [])));
}

function definitionFaults(d: EventDefinition): string[] {
  const faults: string[] = [];
  for (const handler of d.handlers) {
    if (d.route === 'standard' && handler.holds !== 'event')
      faults.push(`${handler.name} holds ${handler.holds} but ${d.name} takes a standard route, which keeps no order`);
    if (handler.holds === 'aggregate' && d.aggregate === undefined)
      faults.push(`${handler.name} holds its aggregate but ${d.name} derives none`);
  }
  if (d.filter !== undefined && d.topic === undefined) faults.push(`${d.name} filters without a topic`);
  for (const [index, version] of d.versions.entries()) {
    if (index < d.versions.length - 1 && version.upcast === undefined)
      faults.push(`${d.name} ${version.version} has no way to the next version`);
  }
  const example = currentVersion(d).schema.safeParse(d.example);
  if (!example.success) faults.push(`the example of ${d.name} does not satisfy its own schema`);
  return faults;
}

export const currentVersion = (definition: EventDefinition): EventVersion =>
  definition.versions[definition.versions.length - 1] ?? definition.versions[0];

/** Whether this release can run an event's handler: what is open may be of one that came later, or is no more. */
export const hasHandler = (
  registry: Registry,
  { eventType, handler }: { eventType: string; handler: string },
): boolean => registry.get(eventType)?.handlers.some(({ name }) => name === handler) === true;

export const registry: Registry = createRegistry([
  productCoreDataUpdatedEvent,
  campaignStateChangeRequestedEvent,
  adPerformanceDataIngestedEvent,
  audienceSegmentUpdateRequestedEvent,
  notificationDispatchRequestedEvent,
  thirdPartyAppWebhookEvent,
  billingCycleEvent,
  affiliateConversionAttributionRequiredEvent,
  productCatalogFeedReadyForSubmissionEvent,
  orderDataAttributedToAdEvent,
  dataRetentionJobTriggerEvent,
]);
