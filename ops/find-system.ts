import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type OperatorConfig, loadOperatorConfig } from '../core/runtime/config.ts';
import { dataPaths, projectRoot } from './local/data-folder.ts';
import { stackName } from './local/process-environment.ts';
import { type Stack, readStackFile } from './local/stack-file.ts';

/** The system that a command is for cannot be found as described; nothing is wrong with the system. */
export class SystemNotFound extends Error {}

export interface FoundSystem {
  config: OperatorConfig;
  /** What the AWS SDK must read to reach it; empty where the environment already says it. */
  aws: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Finds the system that a command is for: the one whose data lies in `dataDir`, else the one that the environment names
 * (LANEWAY_POSTGRES_URL, LANEWAY_REDIS_URL, and what the AWS SDK reads), else the one in `.laneway`. Local systems are
 * reached as `laneway_operator`, whose password lies beside their data. Throws SystemNotFound with what to do, and
 * `config.invalid` for an environment that is half set.
 */
export function findSystem(dataDir: string | undefined, env: Environment): FoundSystem {
  const named = env['LANEWAY_POSTGRES_URL'] !== undefined || env['LANEWAY_REDIS_URL'] !== undefined;
  if (dataDir === undefined && named) return { config: loadOperatorConfig(env), aws: {} };
  return localSystem(resolve(dataDir ?? join(projectRoot, '.laneway')));
}

function localSystem(dataDir: string): FoundSystem {
  const paths = dataPaths(dataDir);
  if (!existsSync(paths.stack))
    throw new SystemNotFound(
      `no system is running on ${dataDir}: start one with \`npm start\`, or name one with --data DIR or with ` +
        'LANEWAY_POSTGRES_URL and LANEWAY_REDIS_URL',
    );
  const stack = readStackFile(paths.stack);
  return {
    config: loadOperatorConfig({
      LANEWAY_STACK: stackName,
      LANEWAY_POSTGRES_URL: asOperator(stack.postgresUrl, paths.secrets),
      LANEWAY_REDIS_URL: stack.redisUrl,
    }),
    aws: awsOf(stack),
  };
}

function asOperator(readerUrl: string, secretsFile: string): string {
  const url = new URL(readerUrl);
  url.username = 'laneway_operator';
  try {
    const secrets = z.object({ operatorPassword: z.string() }).parse(JSON.parse(readFileSync(secretsFile, 'utf8')));
    url.password = secrets.operatorPassword;
  } catch (cause) {
    throw new SystemNotFound(
      `${secretsFile} has no password for operators: you must be the person who started the system, with this release`,
      { cause },
    );
  }
  return url.toString();
}

const awsOf = (stack: Stack): Record<string, string> => ({
  AWS_REGION: stack.region,
  AWS_ACCESS_KEY_ID: stack.accessKeyId,
  AWS_SECRET_ACCESS_KEY: stack.secretAccessKey,
  AWS_ENDPOINT_URL_SQS: stack.sqsEndpoint,
  AWS_ENDPOINT_URL_SNS: stack.snsEndpoint,
  AWS_ENDPOINT_URL_S3: stack.s3Endpoint,
  AWS_ENDPOINT_URL_DYNAMODB: stack.dynamodbEndpoint,
});
