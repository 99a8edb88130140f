import * as iam from '@pulumi/aws/iam/index.js';
import * as rds from '@pulumi/aws/rds/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Names } from '../names.ts';
import { Component, type Shared, json } from './component.ts';
import type { Keys } from './keys.ts';
import type { Network } from './network.ts';
import { type PolicyDocument, assumedBy } from './policy.ts';
import { type SecurityGroups, ports } from './security-groups.ts';

export const databaseName = 'laneway';
/** Owner of the schema; only the migration task signs in as it. */
export const databaseOwner = 'laneway_owner';
const engine = 'aurora-postgresql';
const engineVersion = '17.6';

/** Aurora PostgreSQL: what decides. Encrypted, in three zones, backed up, reachable from tasks only. */
export class Database extends Component {
  readonly cluster: rds.Cluster;

  constructor(
    name: string,
    shared: Shared,
    parts: { names: Names; keys: Keys; network: Network; groups: SecurityGroups },
    options?: pulumi.ComponentResourceOptions,
  ) {
    super('Database', name, options);
    const { settings, partition } = shared;
    const { stack, size } = settings;
    const { names, keys, network, groups } = parts;
    const subnets = new rds.SubnetGroup(
      name,
      { name: names.database, subnetIds: network.isolatedSubnets.map(({ id }) => id) },
      this.own,
    );
    const parameters = new rds.ClusterParameterGroup(
      name,
      {
        name: names.database,
        family: 'aurora-postgresql17',
        parameters: [
          { name: 'rds.force_ssl', value: '1' },
          // A transaction whose client is gone holds locks: workers set less, this bounds everybody else.
          { name: 'idle_in_transaction_session_timeout', value: '60000' },
          { name: 'log_min_duration_statement', value: '1000' },
          { name: 'log_lock_waits', value: '1' },
          { name: 'max_connections', value: String(size.database.maxConnections), applyMethod: 'pending-reboot' },
          { name: 'shared_preload_libraries', value: 'pg_stat_statements', applyMethod: 'pending-reboot' },
        ],
      },
      this.own,
    );
    const monitoring = new iam.Role(
      `${name}-monitoring`,
      {
        name: `${stack}-database-monitoring`,
        assumeRolePolicy: json<PolicyDocument>(assumedBy('monitoring.rds.amazonaws.com', settings.accountId)),
        managedPolicyArns: [`arn:${partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole`],
      },
      this.own,
    );
    this.cluster = new rds.Cluster(
      name,
      {
        clusterIdentifier: names.database,
        engine,
        engineVersion,
        databaseName,
        masterUsername: databaseOwner,
        // Kept and rotated in Secrets Manager by RDS itself.
        manageMasterUserPassword: true,
        masterUserSecretKmsKeyId: keys.data.arn,
        iamDatabaseAuthenticationEnabled: true,
        port: ports.postgres,
        dbSubnetGroupName: subnets.name,
        vpcSecurityGroupIds: [groups.database.id],
        dbClusterParameterGroupName: parameters.name,
        storageEncrypted: true,
        kmsKeyId: keys.data.arn,
        // Laneway writes for each event; billed by the write, that would be most of the bill (docs/decisions/0026).
        storageType: 'aurora-iopt1',
        backupRetentionPeriod: size.database.backupDays,
        preferredBackupWindow: '02:00-03:00',
        preferredMaintenanceWindow: 'sun:03:30-sun:04:30',
        copyTagsToSnapshot: true,
        deletionProtection: size.protectsData,
        skipFinalSnapshot: !size.protectsData,
        finalSnapshotIdentifier: `${names.database}-last`,
        enabledCloudwatchLogsExports: ['postgresql'],
      },
      { ...this.own, protect: size.protectsData },
    );
    for (let index = 0; index < size.database.instances; index++)
      new rds.ClusterInstance(
        `${name}-${index}`,
        {
          clusterIdentifier: this.cluster.id,
          identifier: `${names.database}-${index}`,
          engine,
          engineVersion,
          instanceClass: size.database.instanceClass,
          dbSubnetGroupName: subnets.name,
          publiclyAccessible: false,
          performanceInsightsEnabled: true,
          performanceInsightsKmsKeyId: keys.data.arn,
          monitoringInterval: 60,
          monitoringRoleArn: monitoring.arn,
          // AWS would move on from `engineVersion`, and the next `pulumi up` would fail asking for the older one again.
          autoMinorVersionUpgrade: false,
          promotionTier: index,
        },
        { ...this.own, protect: size.protectsData },
      );
    this.registerOutputs();
  }
}
