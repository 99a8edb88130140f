import { z } from '@hono/zod-openapi';
import { id } from '../core/events/envelope.ts';

/** Lists are read in pages by id: `next` of one page is `after` of the following one, and null on the last. */
export const pageQuery = z.object({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(200)
    .default(50)
    .openapi({ description: 'How many to list at most.', type: 'integer', example: 50 }),
  after: id(128).optional().describe('`next` of the page before.'),
});

export const nextPage = z
  .string()
  .nullable()
  .openapi({ description: '`after` of the following page; null on the last.', example: null });
