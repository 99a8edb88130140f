import type { z } from '@hono/zod-openapi';

/** What most descriptions of routes are made of. */
export const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

export const requiredBody = <Schema extends z.ZodType>(schema: Schema) => ({ required: true, content: json(schema) });

export const readProblems = [
  'request.invalid',
  'access.unauthenticated',
  'access.forbidden',
  'service.unavailable',
] as const;

export const writeProblems = [...readProblems, 'request.too_large', 'request.media_type'] as const;
