import { currentVersion, type Registry } from '../core/events/registry.ts';
import type { EventDefinition } from '../core/events/definition.ts';

/** One event as `npm run events -- list --json` prints it. */
export function describeEvent(event: EventDefinition) {
  return {
    name: event.name,
    version: currentVersion(event).version,
    versions: event.versions.map(({ version }) => version),
    route: event.route,
    queue: event.queue,
    deadLetterQueue: event.deadLetterQueue,
    topic: event.topic ?? null,
    filter: event.filter ?? null,
    handlers: event.handlers.map(({ name, service, holds, onPoison, effect }) => ({
      name,
      service,
      holds,
      onPoison,
      effect,
    })),
    timeoutMs: event.timeoutMs,
    thresholds: event.thresholds,
    id: event.id,
    routingKey: event.routingKey,
    type: event.type,
    category: event.category,
    frequency: event.frequency,
    priority: event.priority,
    criticality: event.criticality,
    sourceContext: event.sourceContext,
    targetContexts: event.targetContexts,
  };
}

/** A whole message of the event, as a producer would send it. */
export const exampleMessage = (event: EventDefinition) => ({
  eventId: '0b9c2f5e-6a43-4a53-9f0e-2f6d1c7b8a90',
  eventType: event.name,
  eventVersion: currentVersion(event).version,
  timestamp: '2026-11-23T10:15:01.000Z',
  sourceService: event.sourceContext,
  correlationId: 'cor-7f31',
  merchantId: 'shop-1',
  payload: event.example,
});

/** docs/events.md */
export function eventsDocument(registry: Registry): string {
  const lines = [
    '# Events',
    '',
    'Generated from the registry by `npm run events -- document`; do not edit.',
    '',
    'Every message is a JSON object with `eventId`, `eventType`, `eventVersion`, `timestamp`, `sourceService`,',
    '`correlationId` and `payload`; `merchantId` names whose lane it belongs to, `traceId` and `authentication` are',
    'optional. Fields that Laneway does not know pass and are kept. Send to a FIFO queue with the merchant id as message',
    'group and the event id as deduplication id.',
    '',
  ];
  for (const event of registry.values()) {
    const where =
      event.topic === undefined ? `queue \`${event.queue}\`` : `topic \`${event.topic}\` to queue \`${event.queue}\``;
    lines.push(
      `## ${event.name}`,
      '',
      `${event.description} ${event.priority} priority, ${event.criticality}; routing key \`${event.routingKey}\`.`,
      '',
      `Sent to ${where} (${event.route}); dead letters in \`${event.deadLetterQueue}\`; ${event.timeoutMs / 1000} s from`,
      `handler to effect; versions ${event.versions.map(({ version }) => version).join(', ')}.`,
      '',
      '| handler | service | holds | on poison | effect |',
      '| --- | --- | --- | --- | --- |',
      ...event.handlers.map((h) => `| \`${h.name}\` | ${h.service} | ${h.holds} | ${h.onPoison} | ${h.effect} |`),
      '',
      '```json',
      JSON.stringify(exampleMessage(event), null, 2),
      '```',
      '',
    );
  }
  return lines.join('\n');
}
