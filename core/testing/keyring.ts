import { createKeyring } from '../people/keyring.ts';

export const testMasterKeys = `test:${Buffer.alloc(32, 7).toString('base64')}`;

/** As every test process has it. */
export const testKeyring = createKeyring(testMasterKeys, 'a key for tests only');
