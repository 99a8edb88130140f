import { registry } from '../events/registry.ts';
import { currentVersion } from '../events/registry.ts';

/** A valid message of a registered event as its producer would send it, with what a test wants to differ. */
export function goldenEvent(
  eventType: string,
  overrides: { merchantId?: string; eventId?: string; payload?: Record<string, unknown> } & Record<
    string,
    unknown
  > = {},
): Record<string, unknown> {
  const definition = registry.get(eventType);
  if (definition === undefined) throw new Error(`${eventType} is not registered`);
  const { payload, ...envelope } = overrides;
  return {
    eventId: 'golden-1',
    eventType,
    eventVersion: currentVersion(definition).version,
    timestamp: '2026-11-23T10:15:01.000Z',
    sourceService: definition.sourceContext,
    correlationId: 'cor-golden',
    merchantId: 'shop-1',
    ...envelope,
    payload: { ...definition.example, ...payload },
  };
}
