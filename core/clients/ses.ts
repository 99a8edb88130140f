import { SESv2Client } from '@aws-sdk/client-sesv2';
import { sendOnce } from './send-once.ts';

/**
 * The only place where this client is made. Region, credentials and, unless given, the endpoint come from the SDK's own
 * environment.
 */
export const connectSES = (endpoint?: string): SESv2Client =>
  new SESv2Client({ ...(endpoint === undefined ? {} : { endpoint }), ...sendOnce });
