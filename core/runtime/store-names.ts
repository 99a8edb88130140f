/**
 * Names of the tables in DynamoDB and of the buckets, for the processes that use them and for whatever makes them.
 * @param suffix of buckets, whose names all of AWS shares; empty where nobody else has any
 */
export const storeNames = (stack: string, suffix = '') => ({
  dedupeTable: `${stack}-dedupe`,
  claimsTable: `${stack}-claims`,
  deadLetterBucket: `${stack}-dead-letters${suffix}`,
  /** Months that are past their retention. */
  archiveBucket: `${stack}-archive${suffix}`,
  auditBucket: `${stack}-audit${suffix}`,
  accessLogsBucket: `${stack}-access-logs${suffix}`,
});
