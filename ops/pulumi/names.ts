import type { SystemNames } from '../../dashboards/cloudwatch/system-alarms.ts';
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
  cluster: string;
  services: { worker: string; gateway: string; console: string };
}

/** `<stack>-dead-letters`, `<stack>-archive`, `<stack>-dedupe` and `<stack>-claims` are what workers derive from LANEWAY_STACK. */
export const namesOf = ({ stack, size }: Pick<Settings, 'stack' | 'size'>): Names => ({
  database: `${stack}-database`,
  cache: `${stack}-cache`,
  // ElastiCache numbers the nodes of a group itself, from 001.
  cacheNodes: Array.from({ length: size.cache.nodes }, (_, i) => `${stack}-cache-${String(i + 1).padStart(3, '0')}`),
  tables: { dedupe: `${stack}-dedupe`, claims: `${stack}-claims` },
  deadLetterBucket: `${stack}-dead-letters`,
  archiveBucket: `${stack}-archive`,
  auditBucket: `${stack}-audit`,
  cluster: stack,
  services: { worker: `${stack}-worker`, gateway: `${stack}-gateway`, console: `${stack}-console` },
});

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
