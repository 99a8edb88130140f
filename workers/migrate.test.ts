import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allowIamLogins } from '../core/database/iam-logins.ts';
import { checkSchema } from '../core/database/migrate.ts';
import { createWorld } from '../core/testing/world.ts';

async function runMigrations(env: Record<string, string>): Promise<{ code: number | null; output: string }> {
  const child = spawn(process.execPath, [fileURLToPath(new URL('migrate.ts', import.meta.url))], {
    env: { AWS_REGION: 'eu-central-1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  await once(child, 'close');
  return { code: child.exitCode, output };
}

test('migrations bring an empty database to the schema of this release, also when two run at once, and once only', async () => {
  await using world = await createWorld();
  await sql`drop schema public cascade; create schema public`.execute(world.postgres.db);
  const env = { LANEWAY_POSTGRES_URL: world.postgresUrl };
  const both = await Promise.all([runMigrations(env), runMigrations(env)]);
  assert.equal(
    both.map(({ code }) => code),
    [0, 0],
  );
  await checkSchema(world.postgres.db);
  assert.match((await runMigrations(env)).output, '"ran":[]');
  const { rows } = await sql<{ version: string }>`
    select version from event_schema_versions where event_type = 'CampaignStateChangeRequestedEvent' order by version
  `.execute(world.postgres.db);
  assert.is(rows[0]?.version, '1.0.0');
  // IAM is for RDS: elsewhere no role may sign in that could not before.
  assert.equal(await allowIamLogins(world.postgres.db), []);
});

test('a database that does not answer may be tried again, a setting that is missing may not', async () => {
  const away = await runMigrations({ LANEWAY_POSTGRES_URL: 'postgres://nobody@127.0.0.1:1/none' });
  assert.is(away.code, 1);
  const unset = await runMigrations({ LANEWAY_POSTGRES_URL: '' });
  assert.is(unset.code, 2);
  assert.match(unset.output, /LANEWAY_POSTGRES_URL/);
});

test.run();
