import { html } from 'hono/html';
import type { Registry } from '../../core/events/registry.ts';
import type { Panel } from '../panels.ts';
import type { SettledEvent } from '../reads/settlements.ts';
import { type Markup, merchantPath } from './format.ts';
import { page, section, table } from './layout.ts';
import { settledColumns } from './merchant.ts';

export interface DeadLettersView {
  at: Date;
  filter: { handler?: string | undefined; merchantId?: string | undefined };
  letters: Panel<readonly SettledEvent[]>;
}

export function deadLettersPage({ at, filter, letters }: DeadLettersView, registry: Registry): Markup {
  const handlers = [...registry.values()].flatMap((event) => event.handlers.map((handler) => handler.name));
  const options = handlers.map(
    (name) => html`<option value="${name}" ${name === filter.handler ? html`selected` : ''}>${name}</option>`,
  );
  return page(
    { title: 'Dead letters', at, path: '/dead-letters', live: false },
    html`<h1>Dead letters</h1>
      <form class="filter">
        <label>
          Handler
          <select name="handler">
            <option value="">all</option>
            ${options}
          </select>
        </label>
        <label>Merchant <input name="merchant" value="${filter.merchantId ?? ''}" maxlength="128" /></label>
        <button>Show</button>
      </form>
      ${section('Given up in the last 7 days, latest first', letters, (rows) =>
        table(
          rows,
          [
            {
              head: 'Merchant',
              cell: (row) => html`<a href="${merchantPath(row.merchantId)}">${row.merchantId}</a>`,
            },
            ...settledColumns,
          ],
          'Nothing was given up.',
        ),
      )}`,
  );
}
