import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { z } from 'zod';
import { openJournal } from './journal.ts';
import type { MessageFaults } from './message-faults.ts';

const newCharge = z.object({
  amount: z.int().min(1),
  currency: z.string().regex(/^[A-Z]{3}$/),
  payment_method: z.string().min(1),
  reference: z.string().min(1).max(500),
});

const charge = newCharge.extend({
  id: z.string(),
  status: z.enum(['succeeded', 'failed']),
  failure_code: z.string().nullable(),
  created: z.int(),
  idempotency_key: z.string(),
});
type Charge = z.infer<typeof charge>;

/** Means of payment that decline, by name, as test cards do. `pm_declines_twice` gives in at the third attempt. */
const declines: Readonly<Record<string, string>> = {
  pm_insufficient_funds: 'insufficient_funds',
  pm_expired: 'expired_card',
  pm_stolen: 'stolen_card',
  pm_do_not_honor: 'do_not_honor',
};

const refuse = (status: number, type: string, code: string, message: string, headers: Record<string, string> = {}) =>
  Response.json({ error: { type, code, message } }, { status, headers });

const settlement = z.strictObject({ reference: z.string().min(1) });

/**
 * A payment provider. A key is remembered with its parameters: the same again gives the first answer, others are an error.
 * Money that moved stands in an append-only journal, in which the last entry of a charge counts. `POST
 * /_control/payments/settle` has a declined charge go through after all, as bank debits do.
 */
export function paymentRoutes(dir: string, faults: MessageFaults) {
  const journal = openJournal(join(dir, 'charges.jsonl'), charge);
  const byKey = new Map(journal.entries.map((each) => [each.idempotency_key, each]));
  const app = new Hono<{ Bindings: HttpBindings }>();
  const routes = app.basePath('/payments/v1');
  const charges = () => [...new Map(journal.entries.map((each) => [each.id, each])).values()];

  routes.use('*', async (c, next) => {
    if (/^Bearer \S/.test(c.req.header('authorization') ?? '')) return await next();
    return refuse(401, 'authentication_error', 'unauthenticated', 'a key is needed');
  });

  routes.post('/charges', async (c) => {
    const parsed = newCharge.safeParse(await c.req.json().catch(() => undefined));
    if (!parsed.success)
      return refuse(400, 'invalid_request_error', 'parameter_invalid', z.prettifyError(parsed.error));
    const wanted = parsed.data;
    const key = c.req.header('idempotency-key') ?? randomUUID();
    return await faults.around(
      c,
      { service: 'payments', to: wanted.reference },
      (kind) => {
        switch (kind) {
          case 'throttled':
            return refuse(429, 'rate_limit_error', 'rate_limited', 'too many requests', { 'retry-after': '1' });
          case 'rejected':
            return refuse(400, 'invalid_request_error', 'parameter_invalid', 'injected');
          case 'internal':
            return refuse(500, 'api_error', 'internal', 'injected');
          default:
            return kind satisfies never;
        }
      },
      () => {
        const known = byKey.get(key);
        if (known !== undefined) {
          const same = known.amount === wanted.amount && known.reference === wanted.reference;
          if (!same)
            return refuse(400, 'idempotency_error', 'idempotency_key_in_use', 'other parameters under this key');
          return Response.json(known, { headers: { 'idempotent-replayed': 'true' } });
        }
        const made = make(wanted, key);
        journal.append(made);
        byKey.set(key, made);
        return Response.json(made);
      },
    );
  });

  const make = (wanted: z.infer<typeof newCharge>, key: string): Charge => {
    const before = charges().filter(({ payment_method }) => payment_method === wanted.payment_method).length;
    const gentle = wanted.payment_method.startsWith('pm_declines_twice') && before < 2 ? 'insufficient_funds' : null;
    const failure_code = declines[wanted.payment_method] ?? gentle;
    return {
      ...wanted,
      id: `ch_${randomUUID().replaceAll('-', '')}`,
      status: failure_code === null ? 'succeeded' : 'failed',
      failure_code,
      created: Math.floor(Date.now() / 1_000),
      idempotency_key: key,
    };
  };

  routes.get('/charges', (c) => {
    const reference = c.req.query('reference');
    return c.json({ data: charges().filter((each) => each.reference === reference) });
  });

  app.post('/_control/payments/settle', async (c) => {
    const parsed = settlement.safeParse(await c.req.json().catch(() => undefined));
    const found = charges().find(({ reference }) => reference === parsed.data?.reference);
    if (found === undefined) return refuse(404, 'invalid_request_error', 'resource_missing', 'there is no such charge');
    const settled: Charge = { ...found, status: 'succeeded', failure_code: null };
    journal.append(settled);
    byKey.set(settled.idempotency_key, settled);
    return Response.json(settled, { status: 201 });
  });

  return app;
}
