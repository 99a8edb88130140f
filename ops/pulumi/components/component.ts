import * as pulumi from '@pulumi/pulumi';
import type { Settings } from '../settings.ts';

/** What every component is given. */
export interface Shared {
  settings: Settings;
  /** `arn:aws` or, in other parts of AWS, `arn:aws-cn`, …: never written out. */
  partition: string;
}

/**
 * A part of the system with resources of its own below it. Subclasses hand up what others need as plain fields and call
 * `registerOutputs` last.
 */
export abstract class Component extends pulumi.ComponentResource {
  protected readonly own: pulumi.CustomResourceOptions;
  protected constructor(kind: string, name: string, options: pulumi.ComponentResourceOptions = {}) {
    super(`laneway:${kind}`, name, {}, options);
    this.own = { parent: this };
  }
}

/** JSON whose parts may be known only later. The type argument says what it holds, so that a misspelt key is an error. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
export const json = <T>(value: T): pulumi.Output<string> => pulumi.jsonStringify(value);
