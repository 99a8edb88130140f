import type { Kysely } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Keyring } from '../../core/people/keyring.ts';
import { readMoney } from './read-money.ts';
import { readReportFigures } from './read-reports.ts';
import type { SentEvent } from './recompute-invoices.ts';
import { reportAds } from './recompute-reports.ts';
import { type Report, reportMoney } from './report-money.ts';

/** Every report beside what the events that took effect come to when they are added up anew. */
export async function compareReports(
  events: readonly SentEvent[],
  db: Kysely<Database>,
  keyring: Keyring,
): Promise<Record<string, Report>> {
  const hashOf = (merchantId: string, customer: string) => keyring.pseudonym(merchantId, customer).toString('hex');
  return {
    ...reportAds(events, await readReportFigures(db)),
    ...reportMoney(events, await readMoney(db), hashOf),
  };
}
