import * as dynamodb from '@pulumi/aws/dynamodb/index.js';
import type * as pulumi from '@pulumi/pulumi';
import type { Names } from '../names.ts';
import { Component, type Shared } from './component.ts';
import type { Keys } from './keys.ts';

/** The long memory of what was accepted, and the claims on calls to the outside. */
export class Tables extends Component {
  readonly dedupe: dynamodb.Table;
  readonly claims: dynamodb.Table;

  constructor(name: string, { settings }: Shared, names: Names, keys: Keys, options?: pulumi.ComponentResourceOptions) {
    super('Tables', name, options);
    const table = (purpose: 'dedupe' | 'claims') =>
      new dynamodb.Table(
        `${name}-${purpose}`,
        {
          name: names.tables[purpose],
          billingMode: 'PAY_PER_REQUEST',
          hashKey: 'pk',
          attributes: [{ name: 'pk', type: 'S' }],
          // Deletes within days of the expiry: code compares it too.
          ttl: { enabled: true, attributeName: 'expiresAtSeconds' },
          pointInTimeRecovery: { enabled: true },
          serverSideEncryption: { enabled: true, kmsKeyArn: keys.data.arn },
          deletionProtectionEnabled: settings.size.protectsData,
        },
        { ...this.own, protect: settings.size.protectsData },
      );
    this.dedupe = table('dedupe');
    this.claims = table('claims');
    this.registerOutputs();
  }
}
