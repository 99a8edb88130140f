import { DynamoDBClient } from '@aws-sdk/client-dynamodb';

/** The only place where this client is made. Region, credentials and endpoint come from the SDK's own environment. */
export const connectDynamoDB = (): DynamoDBClient =>
  new DynamoDBClient({
    maxAttempts: 3,
    requestHandler: {
      connectionTimeout: 3_000,
      requestTimeout: 30_000,
      httpAgent: { maxSockets: 100 },
      httpsAgent: { maxSockets: 100 },
    },
  });
