/** What differs in size, and so in cost, between the stacks; docs/deploying.md adds the cost up. */
export interface Size {
  /** Gateways to the internet: one for each zone survives the loss of a zone. */
  natGateways: 1 | 3;
  database: { instanceClass: string; instances: number; maxConnections: number; backupDays: number };
  cache: { nodeType: string; nodes: number };
  worker: { cpu: number; memory: number; min: number; max: number; spotShare: 0 | 3 };
  gateway: { cpu: number; memory: number; min: number; max: number };
  /** Visible messages, or events in lanes, that one worker may be behind with before another one is started. */
  backlogPerWorker: number;
  logDays: number;
  auditYears: number;
  /** Compliance: nobody, root included, can delete an audit record before its time. Governance: an administrator can. */
  auditLock: 'GOVERNANCE' | 'COMPLIANCE';
  /** Data survives `pulumi destroy` and cannot be deleted by it. */
  protectsData: boolean;
}

export const sizes = {
  dev: {
    natGateways: 1,
    database: { instanceClass: 'db.t4g.medium', instances: 1, maxConnections: 200, backupDays: 3 },
    cache: { nodeType: 'cache.t4g.small', nodes: 1 },
    worker: { cpu: 512, memory: 1_024, min: 1, max: 2, spotShare: 3 },
    gateway: { cpu: 256, memory: 512, min: 1, max: 2 },
    backlogPerWorker: 1_000,
    logDays: 14,
    auditYears: 1,
    auditLock: 'GOVERNANCE',
    protectsData: false,
  },
  staging: {
    natGateways: 1,
    database: { instanceClass: 'db.r8g.large', instances: 2, maxConnections: 500, backupDays: 7 },
    cache: { nodeType: 'cache.m7g.large', nodes: 2 },
    worker: { cpu: 1_024, memory: 2_048, min: 2, max: 6, spotShare: 3 },
    gateway: { cpu: 512, memory: 1_024, min: 2, max: 4 },
    backlogPerWorker: 1_000,
    logDays: 30,
    auditYears: 1,
    auditLock: 'GOVERNANCE',
    protectsData: true,
  },
  production: {
    natGateways: 3,
    database: { instanceClass: 'db.r8g.2xlarge', instances: 2, maxConnections: 2_000, backupDays: 35 },
    cache: { nodeType: 'cache.m7g.xlarge', nodes: 3 },
    worker: { cpu: 2_048, memory: 4_096, min: 4, max: 40, spotShare: 3 },
    gateway: { cpu: 1_024, memory: 2_048, min: 3, max: 20 },
    backlogPerWorker: 2_000,
    logDays: 90,
    auditYears: 7,
    auditLock: 'COMPLIANCE',
    protectsData: true,
  },
} as const satisfies Record<string, Size>;
