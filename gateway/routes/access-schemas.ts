import { z } from '@hono/zod-openapi';
import type { ApiKey } from '../../core/contexts/access/reads.ts';
import { roles, scopePattern } from '../../core/contexts/access/scopes.ts';
import type { User } from '../../core/contexts/access/users.ts';
import { id } from '../../core/events/envelope.ts';

const scope = z
  .string()
  .regex(scopePattern, { error: 'must be resource:read, resource:write, resource:*, *:read or *' })
  .openapi({ example: 'campaigns:write' });
const scopes = z.array(scope).min(1).max(40);
const label = z.string().min(1).max(100);
const moment = z.iso.datetime();
const userId = id(64).openapi({ example: 'ana' });
const role = z.enum(roles);

export const apiKey = z
  .object({
    keyId: z.string(),
    shown: z.string().openapi({ description: 'Its first characters.', example: 'lw_k3Vx9aQb' }),
    label,
    scopes: scopes.nullable().openapi({ description: 'Null: everything that its user may do.' }),
    userId: userId.nullable(),
    createdAt: moment,
    expiresAt: moment.nullable(),
    revokedAt: moment.nullable(),
    replacedBy: z.string().nullable(),
  })
  .openapi('ApiKey');

export const newApiKey = z
  .strictObject({
    label,
    scopes,
    userId: userId.optional().openapi({ description: 'The user it acts for: it may do what both may.' }),
    expiresInDays: z.int().min(1).max(3_650).optional(),
  })
  .openapi('NewApiKey', { example: { label: 'reporting', scopes: ['reports:read'], expiresInDays: 90 } });

const key = z.string().openapi({ example: 'lw_…' });
export const issuedKey = z.object({ keyId: z.string(), key }).openapi('IssuedApiKey');
export const rotation = z.strictObject({ overlapHours: z.int().min(0).max(168).default(24) }).openapi('KeyRotation');
export const rotatedKey = z.object({ keyId: z.string(), key, oldExpiresAt: moment }).openapi('RotatedApiKey');

export const user = z
  .object({
    userId,
    name: z.string().nullable().openapi({ description: 'Null when the person was erased.' }),
    email: z.string().nullable(),
    role,
    disabledAt: moment.nullable(),
    createdAt: moment,
  })
  .openapi('User');

export const newUser = z
  .strictObject({ userId, name: z.string().min(1).max(200), email: z.email().max(254), role })
  .openapi('NewUser', { example: { userId: 'ana', name: 'Ana Ruiz', email: 'ana@example.com', role: 'manager' } });

export const userChange = z
  .strictObject({ role: role.optional(), disabled: z.boolean().optional() })
  .refine((change) => Object.keys(change).length > 0, { error: 'says nothing to change' })
  .openapi('UserChange', { example: { disabled: true } });

export const erasure = z
  .union([z.strictObject({ personId: id(128) }), z.strictObject({ userId })])
  .openapi('Erasure', { example: { personId: 'customer-4711' } });
export const erased = z.object({ keysDestroyed: z.int() }).openapi('Erased');

export const showKey = ({ createdAt, expiresAt, revokedAt, ...rest }: ApiKey): z.infer<typeof apiKey> => ({
  ...rest,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  revokedAt: revokedAt?.toISOString() ?? null,
});

export const showUser = ({ createdAt, disabledAt, ...rest }: User): z.infer<typeof user> => ({
  ...rest,
  createdAt: createdAt.toISOString(),
  disabledAt: disabledAt?.toISOString() ?? null,
});
