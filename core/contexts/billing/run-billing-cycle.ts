import type { BillingCycle } from './events.ts';
import { reckonPeriod } from './reads.ts';
import { writeDrafts } from './writes.ts';
import { tellApps } from '../webhooks/events.ts';
import { type Outcome, defineHandler, done, skip } from '../../events/handler.ts';

/**
 * How long an invoice stays a draft after its period was closed. Figures of the last days still come in; a draft follows
 * them, a final invoice does not.
 */
export const DRAFT_MS = 3_600_000;

/**
 * Drafts the invoices of a period and intends their collection for when they become final. The period's rows decide what
 * exists, so that a cycle that is run again drafts nothing twice.
 */
export const runBillingCycle = defineHandler<BillingCycle>({
  async handle(event, context): Promise<Outcome> {
    const { merchantId, payload } = event;
    const { billingPeriod } = payload;
    const drafts = await reckonPeriod(context.trx, merchantId, billingPeriod);
    const cause = { merchantId, billingPeriod, eventId: event.eventId, issuedAt: new Date(payload.timestamp) };
    const written = await writeDrafts(context.trx, cause, drafts, context.now);
    for (const { invoiceNumber, isNew } of written) {
      if (isNew) context.emit(event, tellApps('invoice.drafted', { invoiceNumber, billingPeriod }, payload.timestamp));
      context.intend(event, {
        destination: 'payments',
        objectKey: `${invoiceNumber}/1`,
        desired: { invoiceNumber, attempt: 1 },
        notBeforeMs: context.now + DRAFT_MS,
      });
    }
    return drafts.length === 0 ? skip('nothing is to be paid for this period') : done;
  },
});
