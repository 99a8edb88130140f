import * as elasticache from '@pulumi/aws/elasticache/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Names } from '../names.ts';
import { Component, type Shared } from './component.ts';
import type { Keys } from './keys.ts';
import type { Network } from './network.ts';
import { type SecurityGroups, ports } from './security-groups.ts';

/** Valkey: where workers look. Losing it costs time, so it is kept available and not durable (docs/decisions/0025). */
export class Cache extends Component {
  readonly group: elasticache.ReplicationGroup;

  constructor(
    name: string,
    { settings }: Shared,
    parts: { names: Names; keys: Keys; network: Network; groups: SecurityGroups },
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Cache', name, options);
    const { size, secrets } = settings;
    const { names, keys, network, groups } = parts;
    const subnets = new elasticache.SubnetGroup(
      name,
      { name: names.cache, subnetIds: network.isolatedSubnets.map(({ id }) => id) },
      this.own,
    );
    const parameters = new elasticache.ParameterGroup(
      name,
      {
        name: names.cache,
        family: 'valkey8',
        // An evicted key would be a wake-up that nobody hears until the sweeper does; a full Redis must say so instead.
        parameters: [{ name: 'maxmemory-policy', value: 'noeviction' }],
      },
      this.own,
    );
    const several = size.cache.nodes > 1;
    this.group = new elasticache.ReplicationGroup(
      name,
      {
        replicationGroupId: names.cache,
        description: 'activations and lanes of Laneway',
        engine: 'valkey',
        engineVersion: '8.2',
        nodeType: size.cache.nodeType,
        numCacheClusters: size.cache.nodes,
        automaticFailoverEnabled: several,
        multiAzEnabled: several,
        parameterGroupName: parameters.name,
        subnetGroupName: subnets.name,
        securityGroupIds: [groups.cache.id],
        port: ports.redis,
        transitEncryptionEnabled: true,
        atRestEncryptionEnabled: true,
        kmsKeyId: keys.data.arn,
        authToken: secrets.redisAuthToken,
        // The old token stays valid until tasks with the new one run.
        authTokenUpdateStrategy: 'ROTATE',
        snapshotRetentionLimit: 0,
        maintenanceWindow: 'sun:04:30-sun:05:30',
        applyImmediately: false,
      },
      this.own,
    );
    this.registerOutputs();
  }
}
