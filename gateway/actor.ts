import type { Principal } from '../core/contexts/access/reads.ts';

/** Who the audit log says it was: the user a key acts for, else the key. */
export const actorOf = ({ userId, keyId }: Principal): string =>
  userId === null ? `key:${keyId ?? 'unnamed'}` : `user:${userId}`;
