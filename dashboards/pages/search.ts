import { html } from 'hono/html';
import type { Panel } from '../panels.ts';
import { type FoundEvent, SEARCH_DAYS } from '../reads/search.ts';
import { type Markup, merchantPath, moment } from './format.ts';
import { page, section, table } from './layout.ts';

export interface SearchView {
  at: Date;
  text: string;
  /** Whether the text is a merchant's id. */
  merchant: Panel<boolean>;
  events: Panel<readonly FoundEvent[]>;
}

export function searchPage({ at, text, merchant, events }: SearchView): Markup {
  return page(
    { title: 'Search', at, path: '/search', search: text, live: false },
    html`<h1>Search</h1>
      ${section('Merchant', merchant, (known) =>
        known
          ? html`<p><a href="${merchantPath(text)}">${text}</a></p>`
          : html`<p class="empty">No merchant has this id.</p>`,
      )}
      ${section(`Events accepted in the last ${SEARCH_DAYS} days with this event or correlation id`, events, (rows) =>
        table(
          rows,
          [
            { head: 'Received (UTC)', cell: (row) => moment(row.receivedAt) },
            { head: 'Merchant', cell: (row) => html`<a href="${merchantPath(row.merchantId)}">${row.merchantId}</a>` },
            { head: 'Event', cell: (row) => html`<span class="id">${row.eventId}</span>` },
            { head: 'Type', cell: (row) => row.eventType },
            { head: 'Queue', cell: (row) => row.sourceQueue },
            { head: 'Correlation', cell: (row) => html`<span class="id">${row.correlationId}</span>` },
            { head: 'mseq', cell: (row) => String(row.mseq), numeric: true },
            { head: 'Outcomes', cell: (row) => (row.outcomes.length === 0 ? 'pending' : row.outcomes.join(', ')) },
          ],
          'No event found.',
        ),
      )}`,
  );
}
