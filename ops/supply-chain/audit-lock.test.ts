import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readAudit } from './known-vulnerabilities.ts';
import { auditLock } from './audit-lock.ts';
import { billOfMaterials } from './bill-of-materials.ts';
import { type LockFile, type Manifest, readLock, readManifest } from './read-lock.ts';

const hash = `sha512-${'A'.repeat(86)}==`;
const manifest: Manifest = {
  version: '1.0.0',
  dependencies: { left: '1.2.3' },
  devDependencies: {},
  optionalDependencies: {},
  allowScripts: { built: true },
};
const sound: LockFile['packages'] = {
  '': {},
  'node_modules/left': { version: '1.2.3', integrity: hash, license: 'MIT' },
  'node_modules/built': { version: '2.0.0', integrity: hash, license: 'ISC', hasInstallScript: true },
  'node_modules/tool': { version: '3.0.0', integrity: hash, license: 'GPL-3.0', dev: true },
};
const audit = (changes: LockFile['packages'], changed: Partial<Manifest> = {}): string[] =>
  auditLock({ lockfileVersion: 3, packages: { ...sound, ...changes } }, { ...manifest, ...changed });

test('every package of the lock file is fixed by its bytes, and those in images are under licences that are allowed', () => {
  assert.equal(auditLock(readLock(), readManifest()), []);
});

test('each way in which a lock file can be unsound is named', () => {
  assert.equal(audit({}), []);
  const left = { version: '1.2.3', integrity: hash, license: 'MIT' };
  const seeded: readonly [complaints: string[], said: RegExp][] = [
    [audit({ 'node_modules/left': { version: '1.2.3', license: 'MIT' } }), /left has no SHA-512/],
    [audit({ 'node_modules/left': { ...left, integrity: 'sha1-AAAA' } }), /left has no SHA-512/],
    [audit({ 'node_modules/left': { ...left, resolved: 'git+ssh://example.com/left' } }), /left comes from git\+ssh/],
    [audit({ 'node_modules/left': { ...left, resolved: 'http://r.example/left/-/left-1.2.3.tgz' } }), /over TLS/],
    [audit({ 'node_modules/left': { ...left, link: true } }), /left comes from a folder/],
    [audit({}, { allowScripts: {} }), /built has an install script/],
    [audit({}, { dependencies: { left: '^1.2.3' } }), /left is asked for as \^1\.2\.3/],
    [audit({}, { dependencies: { left: '1.2.4' } }), /locked at another version than 1\.2\.4/],
    [audit({ 'node_modules/left': { ...left, license: 'AGPL-3.0' } }), /under AGPL-3\.0/],
    [audit({ 'node_modules/left': { version: '1.2.3', integrity: hash } }), /under no licence/],
  ];
  for (const [complaints, said] of seeded) {
    assert.is(complaints.length, 1, `${String(said)}: ${complaints.join('; ')}`);
    assert.match(complaints[0] ?? '', said);
  }
});

test('a bill of materials has the base, its packages and what production installs, each with its hash', () => {
  const document = billOfMaterials(
    { name: 'worker' },
    '7',
    { lockfileVersion: 3, packages: sound },
    {
      image: 'node:24',
      node: '24.0.0',
      packages: [{ name: 'libc6', version: '2.36-9+deb12u1' }],
    },
  );
  assert.equal(
    document.components.map((component) => component['bom-ref']),
    ['base', 'node', 'pkg:deb/debian/libc6@2.36-9%2Bdeb12u1', 'node_modules/built', 'node_modules/left'],
  );
  const left = document.components.at(-1);
  assert.equal(left, {
    'bom-ref': 'node_modules/left',
    type: 'library',
    name: 'left',
    version: '1.2.3',
    purl: 'pkg:npm/left@1.2.3',
    licenses: [{ license: { id: 'MIT' } }],
    hashes: [{ alg: 'SHA-512', content: '0'.repeat(128) }],
  });
});

test('what is known against packages is told, and no answer is not taken for none', () => {
  assert.equal(readAudit('{"vulnerabilities":{},"metadata":{}}'), { kind: 'none' });
  assert.equal(readAudit('{"vulnerabilities":{"left-pad":{"severity":"high","range":"<1.3.0","via":[]}}}'), {
    kind: 'known',
    vulnerabilities: ['left-pad <1.3.0: high'],
  });
  const refused = '{"message":"405 Method Not Allowed - POST /-/npm/v1/security/advisories/bulk","method":"POST"}';
  assert.equal(readAudit(refused), {
    kind: 'unasked',
    reason: '405 Method Not Allowed - POST /-/npm/v1/security/advisories/bulk',
  });
  assert.equal(readAudit(''), { kind: 'unasked', reason: 'npm printed nothing' });
});

test.run();
