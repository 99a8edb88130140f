import * as aws from '@pulumi/aws/provider.js';
import { registry } from '../../core/events/registry.ts';
import { readSettings } from './settings.ts';
import { declareStack } from './stack.ts';

/** What `pulumi up` runs. */
const settings = readSettings();
const provider = new aws.Provider('aws', {
  region: settings.region,
  // Whoever is signed in to another account by mistake changes nothing in it.
  allowedAccountIds: [settings.accountId],
  defaultTags: { tags: { 'laneway:stack': settings.stack, 'laneway:managed-by': 'pulumi' } },
});

export const outputs = declareStack(settings, registry, { providers: { aws: provider } });
