import type { LanewayEvent } from '../../events/envelope.ts';
import { type HandlerContext, type Outcome, defineHandler, done, skip } from '../../events/handler.ts';
import { type ThirdPartyAppWebhook, personOf } from './events.ts';
import { type Endpoint, readEndpoints } from './reads.ts';
import { type QueuedDelivery, addDeliveries, reopenDeliveries } from './deliveries.ts';
import { destinationOf, laneOf } from './lanes.ts';

type Happening = LanewayEvent<ThirdPartyAppWebhook>;

/** Deliveries that one event opens again; the event that it emits goes on behind them. */
const REOPENED_AT_ONCE = 1_000;

/**
 * Writes down what each subscribed endpoint is to get, numbered per endpoint in the order of the merchant's events, and
 * intends the calls. What an endpoint that is disabled would have got is held for a recovery.
 */
export const deliverThirdPartyAppWebhook = defineHandler<ThirdPartyAppWebhook>({
  async handleMany(events, context): Promise<readonly Outcome[]> {
    const merchantId = events[0]?.merchantId ?? '';
    const endpoints = await readEndpoints(context.trx, merchantId);
    const outcomes = new Map<string, Outcome>();
    const deliveries: { event: Happening; endpoint: Endpoint; delivery: QueuedDelivery }[] = [];
    const add = async () => {
      const added = await addDeliveries(
        context,
        merchantId,
        deliveries.map(({ delivery }) => delivery),
      );
      for (const { event, endpoint, delivery } of deliveries)
        if (added.has(`${endpoint.endpointId} ${delivery.eventId}`) && delivery.status === 'pending')
          intendDelivery(event, endpoint.endpointId, delivery, context);
      deliveries.length = 0;
    };
    for (const event of events) {
      if (event.payload.redelivery !== undefined) {
        // What came before it in this run must be there to be sent again.
        await add();
        outcomes.set(event.eventId, await reopen(event, endpoints, context));
        continue;
      }
      const wanted = endpoints.filter((endpoint) => subscribes(endpoint, event.payload));
      for (const endpoint of wanted) deliveries.push({ event, endpoint, delivery: deliveryOf(event, endpoint) });
      outcomes.set(event.eventId, wanted.length === 0 ? skip('no endpoint wants it') : done);
    }
    await add();
    return events.map(({ eventId }) => outcomes.get(eventId) ?? done);
  },
});

export const subscribes = (
  { types, endpointId }: Pick<Endpoint, 'types' | 'endpointId'>,
  { webhookType, endpointId: only }: Pick<ThirdPartyAppWebhook, 'webhookType' | 'endpointId'>,
): boolean =>
  only === undefined
    ? types.some((type) => (type.endsWith('*') ? webhookType.startsWith(type.slice(0, -1)) : type === webhookType))
    : only === endpointId;

function deliveryOf({ eventId, timestamp, payload }: Happening, endpoint: Endpoint): QueuedDelivery {
  const subjectId = personOf(payload);
  return {
    endpointId: endpoint.endpointId,
    eventId,
    webhookType: payload.webhookType,
    // Serialised once: a signature covers bytes, and every attempt sends the same.
    body: JSON.stringify({ type: payload.webhookType, timestamp: payload.timestamp, data: payload.data }),
    person: subjectId === undefined ? undefined : { subjectId, occurredAtMs: Date.parse(timestamp) },
    lane: laneOf(endpoint.ordering, eventId),
    status: endpoint.state === 'enabled' ? 'pending' : 'held',
  };
}

function intendDelivery(
  event: Happening,
  endpointId: string,
  { lane, eventId }: Pick<QueuedDelivery, 'lane' | 'eventId'>,
  context: HandlerContext,
): void {
  context.intend(event, {
    destination: destinationOf(endpointId, lane),
    // In sequence there is one thing to do at a time: deliver what comes next.
    ...(lane === 's'
      ? { objectKey: 'next', desired: { endpointId, lane } }
      : { objectKey: eventId, desired: { endpointId, lane, eventId } }),
  });
}

async function reopen(event: Happening, endpoints: readonly Endpoint[], context: HandlerContext): Promise<Outcome> {
  const { endpointId, redelivery } = event.payload;
  const endpoint = endpoints.find((each) => each.endpointId === endpointId);
  if (endpoint === undefined || redelivery === undefined) return skip('there is no such endpoint');
  if (endpoint.state !== 'enabled') return skip('the endpoint is disabled');
  const reopened = await reopenDeliveries(
    context.trx,
    event.merchantId,
    endpoint.endpointId,
    redelivery,
    REOPENED_AT_ONCE,
  );
  for (const delivery of reopened) intendDelivery(event, endpoint.endpointId, delivery, context);
  const last = reopened.at(-1);
  if (reopened.length === REOPENED_AT_ONCE && last !== undefined)
    context.emit(event, {
      eventType: event.eventType,
      payload: { ...event.payload, redelivery: { ...redelivery, after: last.sequence } },
    });
  return reopened.length === 0 ? skip('there is nothing to send again') : done;
}
