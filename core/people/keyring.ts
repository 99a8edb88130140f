import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { LanewayError } from '../runtime/errors.ts';

/**
 * Envelope encryption: what is about a person is encrypted under a data key of that person, and the data key is wrapped by a
 * master key, which only processes have. Whoever destroys the wrapped key destroys all that was encrypted under it, wherever
 * it lies. AES-256-GCM throughout; what the ciphertext belongs to is authenticated with it.
 */
export interface Keyring {
  /** Names the master key that wraps now. */
  readonly masterId: string;
  wrap(dataKey: Buffer, keyId: string): Buffer;
  /** Throws `people.key_unusable` when the master key is not here or is not the one. */
  unwrap(wrapped: Buffer, keyId: string, masterId: string): Buffer;
  /** By which a person is found again without being named. The same under every master key. */
  pseudonym(merchantId: string, subjectId: string): Buffer;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;

export const newDataKey = (): Buffer => randomBytes(KEY_BYTES);

export function seal(key: Buffer, plain: Buffer, belongsTo: string): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(belongsTo, 'utf8'));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Throws an Error when the key is another or the bytes were changed or moved. */
export function unseal(key: Buffer, sealed: Buffer, belongsTo: string): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(belongsTo, 'utf8'));
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES)), decipher.final()]);
}

/**
 * @param masterKeys `id:base64` of 32 bytes each, separated by commas. The first wraps; the others unwrap what earlier ones
 *   wrapped.
 * @param pseudonymKey of the pseudonyms; must not change, or persons are not found again
 */
export function createKeyring(masterKeys: string, pseudonymKey: string): Keyring {
  const masters = new Map(
    masterKeys.split(',').map((entry) => {
      const [id = '', encoded = ''] = entry.split(':');
      const key = Buffer.from(encoded, 'base64');
      if (id === '' || key.length !== KEY_BYTES)
        throw new LanewayError('config.invalid', `master keys: each is id:base64 of ${KEY_BYTES} bytes`);
      return [id, key] as const;
    }),
  );
  const [masterId] = masters.keys();
  if (masterId === undefined) throw new LanewayError('config.invalid', 'master keys: there is none');
  const masterOf = (id: string): Buffer => {
    const key = masters.get(id);
    if (key === undefined)
      throw new LanewayError('people.key_unusable', `the master key ${id} is not among those of this process`, {
        retry: 'backoff',
      });
    return key;
  };
  const pseudonyms = Buffer.from(hkdfSync('sha256', pseudonymKey, '', 'laneway pseudonyms', KEY_BYTES));
  return {
    masterId,
    wrap: (dataKey, keyId) => seal(masterOf(masterId), dataKey, keyId),
    unwrap(wrapped, keyId, id) {
      const master = masterOf(id);
      try {
        return unseal(master, wrapped, keyId);
      } catch (cause) {
        throw new LanewayError('people.key_unusable', `the key ${keyId} was not wrapped by master key ${id}`, {
          retry: 'backoff',
          cause,
        });
      }
    },
    pseudonym: (merchantId, subjectId) =>
      createHmac('sha256', pseudonyms)
        .update(JSON.stringify([merchantId, subjectId]))
        .digest(),
  };
}
