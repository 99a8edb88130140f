import { getCallerIdentityOutput } from '@pulumi/aws/getCallerIdentity.js';

/** A program whose plan depends on who runs it. */
export const account = getCallerIdentityOutput().accountId;
