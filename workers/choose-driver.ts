import type { DestinationDriver } from '../core/events/destination.ts';
import { LanewayError } from '../core/runtime/errors.ts';

/**
 * The driver of a destination, by what stands before its first colon: `ad-network:meta`, `webhook:ep-1`, `email`. A
 * destination that this release does not know waits for one that does.
 */
export const chooseDriver =
  (drivers: Readonly<Record<string, DestinationDriver>>) =>
  (destination: string): DestinationDriver => {
    const kind = destination.split(':', 1)[0] ?? '';
    const driver = Object.hasOwn(drivers, kind) ? drivers[kind] : undefined;
    if (driver !== undefined) return driver;
    throw new LanewayError('config.invalid', `this release knows no destination ${destination}`, { retry: 'backoff' });
  };
