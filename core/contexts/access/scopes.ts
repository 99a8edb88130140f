/** What a key or a role may touch. A route belongs to the resource that its path begins with. */
export const resources = [
  'access',
  'affiliates',
  'audiences',
  'audit',
  'billing',
  'campaigns',
  'imports',
  'notifications',
  'platform',
  'products',
  'promotions',
  'reports',
  'webhooks',
] as const;

export type Resource = (typeof resources)[number];
export type Scope = `${Resource}:${'read' | 'write'}`;

export const roles = ['owner', 'manager', 'analyst', 'operator'] as const;
export type Role = (typeof roles)[number];

/** `campaigns:write`, `campaigns:*`, `*:read` or `*`. Write does not imply read. */
export const scopePattern = new RegExp(`^(\\*|(${[...resources, '\\*'].join('|')}):(read|write|\\*))$`);

const roleScopes: Readonly<Record<Role, readonly string[]>> = {
  owner: ['*'],
  // Everything but who may do what, and what is paid.
  manager: [
    '*:read',
    ...[
      ...['affiliates', 'audiences', 'campaigns', 'imports', 'notifications', 'products', 'promotions', 'reports'],
      'webhooks',
    ].map((resource) => `${resource}:write`),
  ],
  analyst: ['affiliates:read', 'audiences:read', 'campaigns:read', 'products:read', 'promotions:read', 'reports:read'],
  operator: ['*:read', 'imports:write', 'platform:write', 'webhooks:write'],
};

export function allows(granted: readonly string[], needed: Scope): boolean {
  const [resource, action] = needed.split(':');
  return granted.some((scope) => {
    if (scope === '*') return true;
    const [of, what] = scope.split(':');
    return (of === '*' || of === resource) && (what === '*' || what === action);
  });
}

/** A key acts for its user: it may do what both allow. A key without scopes has those of its user, or all. */
export interface Grant {
  scopes: readonly string[] | null;
  role: Role | null;
}

export const permits = ({ scopes, role }: Grant, needed: Scope): boolean =>
  (scopes === null || allows(scopes, needed)) && (role === null || allows(roleScopes[role], needed));

/** Scopes of `asked` that the granting key does not have itself: nobody gives away more than they hold. */
export const exceeding = (grant: Grant, asked: readonly string[]): string[] =>
  asked.filter((scope) => !expand(scope).every((each) => permits(grant, each)));

/** Every single scope that a pattern stands for. */
function expand(pattern: string): Scope[] {
  const all = resources.flatMap((resource): Scope[] => [`${resource}:read`, `${resource}:write`]);
  return all.filter((scope) => allows([pattern], scope));
}

export const scopesOfRole = (role: Role): readonly string[] => roleScopes[role];
