import type { Transaction } from 'kysely';
import type { Database } from '../../database/tables.ts';
import { type Keyring, seal, unseal } from '../../people/keyring.ts';
import { keysFor, readKeys } from '../../people/subject-keys.ts';
import { LanewayError } from '../../runtime/errors.ts';
import type { UserRow } from './reads.ts';
import { requireOtherKey } from './require-other-key.ts';
import type { Role } from './scopes.ts';

export interface UserInput {
  merchantId: string;
  userId: string;
  name: string;
  email: string;
  role: Role;
}

/** How a user is called as a person whose data can be erased. */
export const subjectOfUser = (userId: string): string => `user:${userId}`;

/** Adds the user, name and address encrypted under a key of the person's own. False when the id is taken. */
export async function addUser(
  trx: Transaction<Database>,
  keyring: Keyring,
  user: UserInput,
  nowMs: number,
): Promise<boolean> {
  const { merchantId, userId } = user;
  const subject = { merchantId, subjectId: subjectOfUser(userId), occurredAtMs: nowMs };
  const [key] = await keysFor(trx, keyring, [subject], nowMs);
  if (key === undefined) throw new Error('a person was given no key');
  const sealed = (text: string) => seal(key.dataKey, Buffer.from(text, 'utf8'), `users ${merchantId} ${userId}`);
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('users')
    .values({
      merchant_id: merchantId,
      user_id: userId,
      name: sealed(user.name),
      email: sealed(user.email),
      key_id: key.keyId,
      role: user.role,
      created_at: new Date(nowMs),
      updated_at: new Date(nowMs),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return (numInsertedOrUpdatedRows ?? 0n) > 0n;
}

/**
 * Changes role or access of a user; resolves with how they were. Throws `resource.not_found`, and `access.last_owner` when
 * nobody would own the account any more: owners are locked first, so that two of them cannot remove each other. Throws
 * `access.last_key` when the only key that can do everything is the user's.
 */
export async function changeUser(
  trx: Transaction<Database>,
  change: { merchantId: string; userId: string; role?: Role; disabled?: boolean },
  nowMs: number,
): Promise<{ role: Role; disabled: boolean }> {
  const { merchantId, userId } = change;
  const users = await trx
    .selectFrom('users')
    .select(['user_id', 'role', 'disabled_at'])
    .where('merchant_id', '=', merchantId)
    .where((where) => where.or([where('user_id', '=', userId), where('role', '=', 'owner')]))
    .orderBy('user_id')
    .forUpdate()
    .execute();
  const user = users.find(({ user_id }) => user_id === userId);
  if (user === undefined) throw new LanewayError('resource.not_found', `There is no user ${userId}.`);
  const disabledAt = change.disabled === true ? (user.disabled_at ?? new Date(nowMs)) : null;
  const next = {
    role: change.role ?? user.role,
    disabled_at: change.disabled === undefined ? user.disabled_at : disabledAt,
  };
  const owns = (each: { role: Role; disabled_at: Date | null }) => each.role === 'owner' && each.disabled_at === null;
  const others = users.filter(({ user_id }) => user_id !== userId);
  if (owns(user) && !owns(next) && !others.some(owns))
    throw new LanewayError('access.last_owner', `${userId} is the only owner; make another one first.`);
  if (owns(user) && !owns(next)) await requireOtherKey(trx, merchantId, (key) => key.userId === userId, nowMs);
  await trx
    .updateTable('users')
    .set({ ...next, updated_at: new Date(nowMs) })
    .where('merchant_id', '=', merchantId)
    .where('user_id', '=', userId)
    .execute();
  return { role: user.role, disabled: user.disabled_at !== null };
}

export interface User {
  userId: string;
  /** Null when the person was erased. */
  name: string | null;
  email: string | null;
  role: Role;
  disabledAt: Date | null;
  createdAt: Date;
}

export async function readableUsers(
  trx: Transaction<Database>,
  keyring: Keyring,
  merchantId: string,
  rows: readonly UserRow[],
): Promise<User[]> {
  const keys = await readKeys(
    trx,
    keyring,
    rows.flatMap(({ keyId }) => (keyId === null ? [] : [keyId])),
  );
  return rows.map(({ keyId, name, email, ...user }) => {
    const key = keyId === null ? null : (keys.get(keyId) ?? null);
    const open = (sealed: Buffer | null): string | null =>
      key === null || sealed === null
        ? null
        : unseal(key, sealed, `users ${merchantId} ${user.userId}`).toString('utf8');
    return { ...user, name: open(name), email: open(email) };
  });
}
