import { createPublishEvents } from './publish-events.ts';
import type { OutboxAddresses } from './outbox-publish.ts';
import type { SNSClient } from '@aws-sdk/client-sns';
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { Kysely } from 'kysely';
import { createFetchChanges } from '../core/contexts/core-platform/fetch-changes.ts';
import { IMPORT_DESTINATION, createImportDriver } from '../core/contexts/core-platform/import-driver.ts';
import { PULL_DESTINATION, createPullDriver } from '../core/contexts/core-platform/pull-driver.ts';
import type { Database } from '../core/database/tables.ts';
import type { DestinationDriver } from '../core/events/destination.ts';
import type { Registry } from '../core/events/registry.ts';
import type { Clock } from '../core/runtime/clock.ts';
import type { Config } from '../core/runtime/config.ts';

/** By the kind of their destination. Where no core platform is configured, what is to be pulled from it waits. */
export function createCorePlatformDrivers(options: {
  config: Pick<Config, 'corePlatformUrl' | 'corePlatformToken'>;
  db: Kysely<Database>;
  registry: Registry;
  sqs: SQSClient;
  sns: SNSClient;
  addresses: OutboxAddresses;
  clock: Clock;
}): Record<string, DestinationDriver> {
  const { corePlatformUrl: baseUrl, corePlatformToken: token } = options.config;
  const parts = { ...options, publish: createPublishEvents(options) };
  const imports = { [IMPORT_DESTINATION]: createImportDriver(parts) };
  if (baseUrl === undefined || token === undefined) return imports;
  return {
    ...imports,
    [PULL_DESTINATION]: createPullDriver({ ...parts, fetchChanges: createFetchChanges({ baseUrl, token }) }),
  };
}
