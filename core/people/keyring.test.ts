import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createKeyring, newDataKey, seal, unseal } from './keyring.ts';

const master = (id: string, byte: number) => `${id}:${Buffer.alloc(32, byte).toString('base64')}`;

test('what is sealed opens with its key at its place only, and shows every changed byte', () => {
  const key = newDataKey();
  const sealed = seal(key, Buffer.from('Ana'), 'here');
  assert.is(unseal(key, sealed, 'here').toString(), 'Ana');
  assert.throws(() => unseal(key, sealed, 'there'));
  assert.throws(() => unseal(newDataKey(), sealed, 'here'));
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    assert.throws(() => unseal(key, changed, 'here'));
  }
});

test('a master key that is replaced still unwraps what it wrapped, as long as it is there', () => {
  const before = createKeyring(master('m1', 1), 'pseudonyms');
  const during = createKeyring(`${master('m2', 2)},${master('m1', 1)}`, 'pseudonyms');
  const after = createKeyring(master('m2', 2), 'pseudonyms');
  const key = newDataKey();
  const wrapped = before.wrap(key, 'k');
  assert.is(during.masterId, 'm2');
  assert.equal(during.unwrap(wrapped, 'k', 'm1'), key);
  assert.equal(after.unwrap(during.wrap(key, 'k'), 'k', 'm2'), key);
  assert.throws(() => after.unwrap(wrapped, 'k', 'm1'), /m1 is not among those/);
  assert.throws(() => during.unwrap(wrapped, 'other', 'm1'), /was not wrapped/);
});

test('a person has one pseudonym for each merchant, whatever the master keys', () => {
  const [one, other] = [createKeyring(master('m1', 1), 'p'), createKeyring(master('m2', 2), 'p')];
  assert.equal(one.pseudonym('shop-1', 'ana'), other.pseudonym('shop-1', 'ana'));
  assert.not.equal(one.pseudonym('shop-1', 'ana'), one.pseudonym('shop-2', 'ana'));
});

test('master keys that are none are refused', () => {
  for (const keys of ['', 'm1', 'm1:c2hvcnQ=', ':'.concat(Buffer.alloc(32).toString('base64'))])
    assert.throws(() => createKeyring(keys, 'p'), /master keys/);
});

test.run();
