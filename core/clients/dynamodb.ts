import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { awsClient } from './aws.ts';

/** The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. */
export const connectDynamoDB = (): DynamoDBClient => new DynamoDBClient(awsClient());
