import { S3Client } from '@aws-sdk/client-s3';
import { awsClient } from './aws.ts';

/**
 * The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. Buckets
 * are addressed by path, which local endpoints need and AWS accepts for buckets of any age.
 */
export const connectS3 = (): S3Client => new S3Client({ ...awsClient(), forcePathStyle: true });
