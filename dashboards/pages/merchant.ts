import { html } from 'hono/html';
import type { Registry } from '../../core/events/registry.ts';
import { lanePath } from '../bull-board.ts';
import type { MerchantView } from '../merchant.ts';
import type { SettledEvent } from '../reads/settlements.ts';
import { type Markup, ago, count, deadLettersPath, moment, searchPath, span } from './format.ts';
import { type Column, badge, page, section, table, tile } from './layout.ts';
import { deliveryColumns, laneBadge } from './overview.ts';

const outcomeTones = { done: 'good', skip: 'plain', dead: 'bad' } as const;

export const settledColumns: Column<SettledEvent>[] = [
  { head: 'Settled (UTC)', cell: (row) => moment(row.settledAt) },
  { head: 'Event', cell: (row) => html`<span class="id">${row.eventId}</span>` },
  { head: 'Type', cell: (row) => row.eventType ?? '–' },
  { head: 'Handler', cell: (row) => row.handler },
  {
    head: 'Outcome',
    cell: (row) =>
      html`${badge(row.outcome, outcomeTones[row.outcome])}${row.outOfOrder ? badge('out of order', 'warn') : ''}`,
  },
  { head: 'Reason', cell: (row) => (row.reason === null ? '–' : html`<code>${row.reason}</code>`) },
  { head: 'Attempts', cell: (row) => count(row.attempts), numeric: true },
  {
    head: 'Correlation',
    cell: (row) =>
      row.correlationId === null
        ? '–'
        : html`<a class="id" href="${searchPath(row.correlationId)}">${row.correlationId}</a>`,
  },
];

export function merchantPage(view: MerchantView, registry: Registry): Markup {
  const { at, merchantId } = view;
  const statusTones = { pending: 'warn', live: 'good', failed: 'bad' } as const;
  return page(
    { title: merchantId, at, path: '/merchants', live: true },
    html`<h1>
        ${merchantId}
        <small>
          <a href="${lanePath(merchantId)}">lane in Bull Board</a> ·
          <a href="${deadLettersPath({ merchantId })}">dead letters</a>
        </small>
      </h1>
      ${section('Lane', view.lane, (lane) =>
        lane === undefined
          ? html`<p class="empty">No event of this merchant was accepted yet.</p>`
          : html`<div class="tiles">
              <div class="tile">
                <span class="label">State</span><strong>${laneBadge(lane.state)}</strong
                ><span class="note">${lane.stateReason ?? ''}</span>
              </div>
              ${tile('Cursor', count(lane.cursor), lane.worker === null ? '' : `last moved by ${lane.worker}`)}
              ${tile('Backlog', count(lane.backlog), 'events past the cursor')}
              ${tile(
                'Oldest pending',
                lane.oldestPendingAt === null ? '–' : span(at.getTime() - lane.oldestPendingAt.getTime()),
                lane.oldestPendingAt === null ? 'caught up' : `since ${moment(lane.oldestPendingAt)}`,
              )}
              ${tile('Open deliveries', count(lane.openDeliveries), '')}
            </div>`,
      )}
      ${section('Open deliveries', view.deliveries, (rows) =>
        table(rows, deliveryColumns(registry, at), 'No event of this merchant waits for another try.'),
      )}
      ${section('Campaigns', view.campaigns, (rows) =>
        table(
          rows,
          [
            { head: 'Campaign', cell: (row) => row.name ?? row.campaignId },
            { head: 'Id', cell: (row) => html`<span class="id">${row.campaignId}</span>` },
            { head: 'Network', cell: (row) => row.adNetworkId },
            { head: 'Status', cell: (row) => badge(row.status, statusTones[row.status]) },
            { head: 'Desired', cell: (row) => row.desiredState },
            { head: 'On the network', cell: (row) => row.actualState ?? '–' },
            { head: 'Error', cell: (row) => (row.errorCode === null ? '–' : html`<code>${row.errorCode}</code>`) },
            { head: 'Synced', cell: (row) => ago(row.syncedAt, at) },
          ],
          'No campaign of this merchant was sent to a network.',
        ),
      )}
      ${section('Last settlements', view.journal, (rows) =>
        table(rows, settledColumns, 'No event of this merchant is settled yet.'),
      )}`,
  );
}
