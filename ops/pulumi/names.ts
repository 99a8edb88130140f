import type { SystemNames } from '../../dashboards/cloudwatch/system-alarms.ts';
import { storeNames } from '../../core/runtime/store-names.ts';
import type { Settings } from './settings.ts';

/** Physical names that others must know before the resource exists: alarms, policies, environment. */
export interface Names {
  database: string;
  cache: string;
  cacheNodes: readonly string[];
  tables: { dedupe: string; claims: string };
  deadLetterBucket: string;
  /** Months that are past their retention; workers derive the name. */
  archiveBucket: string;
  auditBucket: string;
  accessLogsBucket: string;
  cluster: string;
  services: { worker: string; gateway: string; console: string };
}

/** All of AWS shares the names of buckets: without our account in them, whoever else has a Laneway has them already. */
export const bucketSuffix = ({ accountId }: Pick<Settings, 'accountId'>): string => `-${accountId}`;

/** Names of tables and buckets are what workers derive from LANEWAY_STACK and LANEWAY_BUCKET_SUFFIX. */
export function namesOf({ stack, size, accountId }: Pick<Settings, 'stack' | 'size' | 'accountId'>): Names {
  const { dedupeTable, claimsTable, ...buckets } = storeNames(stack, bucketSuffix({ accountId }));
  return {
    database: `${stack}-database`,
    cache: `${stack}-cache`,
    // ElastiCache numbers the nodes of a group itself, from 001.
    cacheNodes: Array.from({ length: size.cache.nodes }, (_, i) => `${stack}-cache-${String(i + 1).padStart(3, '0')}`),
    tables: { dedupe: dedupeTable, claims: claimsTable },
    ...buckets,
    cluster: stack,
    services: { worker: `${stack}-worker`, gateway: `${stack}-gateway`, console: `${stack}-console` },
  };
}

/** What alarms and panels need to know of them. */
export const systemNamesOf = (names: Names, size: Settings['size']): SystemNames => ({
  databaseCluster: names.database,
  databaseConnections: size.database.maxConnections,
  cacheNodes: names.cacheNodes,
  tables: Object.values(names.tables),
  cluster: names.cluster,
  workerService: names.services.worker,
  workersAtLeast: size.worker.min,
});
