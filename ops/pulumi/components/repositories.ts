import * as ecr from '@pulumi/aws/ecr/index.js';
import * as pulumi from '@pulumi/pulumi';
import { Component, type Shared, json } from './component.ts';
import type { Keys } from './keys.ts';

const RELEASES_KEPT = 30;

/** Where the images are pushed. A tag is given once: what was tested is what runs. */
export class Repositories extends Component {
  readonly worker: pulumi.Output<string>;
  readonly gateway: pulumi.Output<string>;
  readonly arns: readonly pulumi.Output<string>[];
  readonly urls: { worker: pulumi.Output<string>; gateway: pulumi.Output<string> };

  constructor(name: string, { settings }: Shared, keys: Keys, options?: pulumi.ComponentResourceOptions) {
    super('Repositories', name, options);
    const declare = (image: string) => {
      const repository = new ecr.Repository(
        `${name}-${image}`,
        {
          name: `${settings.stack}/${image}`,
          imageTagMutability: 'IMMUTABLE',
          imageScanningConfiguration: { scanOnPush: true },
          encryptionConfigurations: [{ encryptionType: 'KMS', kmsKey: keys.data.arn }],
        },
        { ...this.own, protect: settings.size.protectsData },
      );
      new ecr.LifecyclePolicy(
        `${name}-${image}`,
        {
          repository: repository.name,
          policy: json({
            rules: [
              {
                rulePriority: 1,
                description: `the last ${RELEASES_KEPT} releases`,
                selection: { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: RELEASES_KEPT },
                action: { type: 'expire' },
              },
            ],
          }),
        },
        this.own,
      );
      return repository;
    };
    const [worker, gateway] = [declare('worker'), declare('gateway')];
    const tagged = (repository: ecr.Repository) => pulumi.interpolate`${repository.repositoryUrl}:${settings.release}`;
    this.worker = tagged(worker);
    this.gateway = tagged(gateway);
    this.arns = [worker.arn, gateway.arn];
    this.urls = { worker: worker.repositoryUrl, gateway: gateway.repositoryUrl };
    this.registerOutputs();
  }
}
