import { existsSync, readFileSync, rmSync } from 'node:fs';
import { z } from 'zod';
import { writePrivateJson } from './private-file.ts';

/** Where a running system can be reached, for programs that use or test it. Kept under these names. */
export const stackSchema = z.object({
  pid: z.int(),
  startedAt: z.iso.datetime(),
  gatewayUrl: z.url(),
  opsUrl: z.url(),
  opsLogin: z.object({ user: z.string(), password: z.string() }),
  bullBoardUrl: z.url(),
  docsUrl: z.url(),
  mailboxUrl: z.url(),
  /** As the role `laneway_reader`, which sees everything and writes nothing. */
  postgresUrl: z.url(),
  redisUrl: z.url(),
  sqsEndpoint: z.url(),
  snsEndpoint: z.url(),
  s3Endpoint: z.url(),
  dynamodbEndpoint: z.url(),
  region: z.string(),
  /** For clients of the endpoints above. */
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  adNetworkUrl: z.url(),
  corePlatformSecret: z.string(),
  workers: z.array(z.object({ pid: z.int() })),
  /** By the names of the specification, dead-letter queues included. */
  queues: z.record(z.string(), z.string()),
  topics: z.record(z.string(), z.string()),
  merchants: z.array(z.object({ id: z.string(), apiKey: z.string() })),
});

export type Stack = z.infer<typeof stackSchema>;

/** `stack.json`: written once everything works, rewritten whenever a process is replaced, gone after a clean stop. */
export interface StackFile {
  write(stack: Stack): void;
  remove(): void;
}

export function createStackFile(files: readonly string[]): StackFile {
  return {
    write: (stack) => files.forEach((file) => writePrivateJson(file, stack)),
    // Another run may have put its own in the same place meanwhile.
    remove: () => files.filter((file) => pidIn(file) === process.pid).forEach((file) => rmSync(file, { force: true })),
  };
}

export const readStackFile = (file: string): Stack => stackSchema.parse(JSON.parse(readFileSync(file, 'utf8')));

function pidIn(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  try {
    return z.object({ pid: z.int() }).parse(JSON.parse(readFileSync(file, 'utf8'))).pid;
  } catch {
    return undefined;
  }
}
