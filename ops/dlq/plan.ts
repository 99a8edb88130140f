import type { Kysely } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type Classified, classify } from './classify.ts';
import type { Listed } from './find-items.ts';

export type Planned = Listed & Classified & { chosen: boolean };

/** What a redrive would take: what is safe, and the classes that somebody includes. */
export async function planRedrive(
  { db, registry }: { db: Kysely<Database>; registry: Registry },
  items: readonly Listed[],
  include: readonly string[],
): Promise<readonly Planned[]> {
  const planned: Planned[] = [];
  for (const item of items) {
    const classified = await classify(db, registry, item);
    planned.push({ ...item, ...classified, chosen: classified.order === 'safe' || include.includes(classified.order) });
  }
  return planned;
}

export function countOf(planned: readonly Planned[]) {
  const count = (order: Classified['order']) => planned.filter((item) => item.order === order).length;
  return {
    safe: count('safe'),
    superseded: count('superseded'),
    conflicting: count('conflicting'),
    gone: count('gone'),
    chosen: planned.filter(({ chosen }) => chosen).length,
  };
}
