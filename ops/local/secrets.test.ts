import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loadSecrets } from './secrets.ts';

test('a folder of a release without operators keeps its secrets and gets their password, once', () => {
  const dir = mkdtempSync(join(tmpdir(), 'laneway-secrets-'));
  const file = join(dir, 'secrets.json');
  try {
    const older: Record<string, unknown> = { ...loadSecrets(dir) };
    delete older['operatorPassword'];
    writeFileSync(file, JSON.stringify(older));
    const upgraded = loadSecrets(dir);
    assert.is(upgraded.superuserPassword, older['superuserPassword']);
    assert.ok(upgraded.operatorPassword.length >= 16);
    assert.equal(loadSecrets(dir), upgraded);
    assert.equal(JSON.parse(readFileSync(file, 'utf8')), upgraded);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
