import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { writePrivateJson } from './private-file.ts';

/**
 * Passwords and keys of one data folder, made at its first start. They belong to what the folder holds: a database keeps
 * its superuser's password, accepted events keep HMACs made with the key.
 */
const schema = z.object({
  superuserPassword: z.string().min(16),
  workerPassword: z.string().min(16),
  gatewayPassword: z.string().min(16),
  readerPassword: z.string().min(16),
  operatorPassword: z.string().min(16),
  bodyHmacKey: z.string().min(16),
  /** Base64 of 32 bytes: what is encrypted about people is lost without it. */
  masterKey: z.base64(),
  corePlatformSecret: z.string().min(16),
  adNetworkToken: z.string().min(16),
  opsPassword: z.string().min(8),
  /** In plain text here only: the database keeps their hashes. */
  apiKeys: z.record(z.string(), z.string()),
});

export type Secrets = z.infer<typeof schema>;

const fileOf = (dataDir: string): string => join(dataDir, 'secrets.json');
const random = (bytes = 24): string => randomBytes(bytes).toString('base64url');

const newMasterKey = (): string => randomBytes(32).toString('base64');

export function loadSecrets(dataDir: string): Secrets {
  const file = fileOf(dataDir);
  if (!existsSync(file)) {
    if (existsSync(join(dataDir, 'postgres')))
      throw new Error(
        `${file} is gone, and with it the passwords of the database beside it. Put it back, or start over with --fresh.`,
      );
    const secrets: Secrets = {
      superuserPassword: random(),
      workerPassword: random(),
      gatewayPassword: random(),
      readerPassword: random(),
      operatorPassword: random(),
      bodyHmacKey: random(),
      masterKey: newMasterKey(),
      corePlatformSecret: random(),
      adNetworkToken: random(),
      opsPassword: random(12),
      apiKeys: {},
    };
    writePrivateJson(file, secrets);
    return secrets;
  }
  try {
    const kept = z.looseObject({}).parse(JSON.parse(readFileSync(file, 'utf8')));
    // Folders of earlier releases know no operator and no master key: the role gets this password, and nothing is encrypted yet.
    const secrets = schema.parse({ operatorPassword: random(), masterKey: newMasterKey(), ...kept });
    if (kept['operatorPassword'] === undefined || kept['masterKey'] === undefined) writePrivateJson(file, secrets);
    return secrets;
  } catch (cause) {
    throw new Error(`${file} cannot be used. Repair it, or start over with --fresh.`, { cause });
  }
}

export const saveSecrets = (dataDir: string, secrets: Secrets): void => writePrivateJson(fileOf(dataDir), secrets);
