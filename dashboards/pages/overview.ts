import { html } from 'hono/html';
import type { Registry } from '../../core/events/registry.ts';
import { lanePath } from '../bull-board.ts';
import type { Overview } from '../overview.ts';
import type { Panel } from '../panels.ts';
import type { Depth } from '../queue-depths.ts';
import type { OpenDelivery } from '../reads/deliveries.ts';
import type { LaneSummary } from '../reads/lanes.ts';
import { type Markup, ago, count, deadLettersPath, due, merchantPath, span } from './format.ts';
import { type Column, type Tone, badge, page, section, table, tile } from './layout.ts';

const merchantLink = (merchantId: string): Markup => html`<a href="${merchantPath(merchantId)}">${merchantId}</a>`;

const laneTones = { active: 'good', paused: 'warn', blocked: 'bad' } as const satisfies Record<string, Tone>;

export const laneBadge = (state: LaneSummary['state']): Markup => badge(state, laneTones[state]);

/** `2 of 4`: the attempts made, of those there are before the event is given up. */
export function attemptsOf(registry: Registry, delivery: OpenDelivery): string {
  const retries = registry.get(delivery.eventType)?.retry.retries;
  return retries === undefined ? String(delivery.attempt) : `${delivery.attempt} of ${retries + 1}`;
}

export function deliveryColumns(registry: Registry, now: Date): Column<OpenDelivery>[] {
  const tones = { waiting: 'warn', behind: 'plain', parked: 'bad', redrive: 'warn' } as const;
  return [
    { head: 'Handler', cell: (row) => row.handler },
    { head: 'Event', cell: (row) => html`<span class="id">${row.eventId}</span>` },
    { head: 'State', cell: (row) => badge(row.state, tones[row.state]) },
    { head: 'Holds', cell: (row) => row.holdKey ?? row.holds },
    { head: 'Attempt', cell: (row) => attemptsOf(registry, row), numeric: true },
    { head: 'Next try', cell: (row) => due(row.notBefore, now) },
    { head: 'Last error', cell: (row) => (row.lastError === null ? '–' : html`<code>${row.lastError.code}</code>`) },
    { head: 'Waiting since', cell: (row) => ago(row.createdAt, now) },
  ];
}

function laneColumns(now: Date): Column<LaneSummary>[] {
  return [
    { head: 'Merchant', cell: (row) => merchantLink(row.merchantId) },
    { head: 'State', cell: (row) => laneBadge(row.state) },
    { head: 'Backlog', cell: (row) => count(row.backlog), numeric: true },
    {
      head: 'Oldest pending',
      cell: (row) => (row.oldestPendingAt === null ? '–' : span(now.getTime() - row.oldestPendingAt.getTime())),
      numeric: true,
    },
    { head: 'Open deliveries', cell: (row) => count(row.openDeliveries), numeric: true },
    { head: '', cell: (row) => html`<a href="${lanePath(row.merchantId)}">lane</a>` },
  ];
}

const depthCell = (depth: Depth, alarming: boolean): Markup | string => {
  if ('unavailable' in depth) return badge(depth.unavailable, 'warn');
  return alarming && depth.messages > 0 ? badge(count(depth.messages), 'bad') : count(depth.messages);
};

const unknownTile = (label: string): Markup => tile(label, '–', 'not available', 'warn');

function tileOf<T>(label: string, panel: Panel<T>, show: (value: T) => Markup): Markup {
  return panel.ok ? show(panel.value) : unknownTile(label);
}

function tiles({ at, activity, backlog, held, outbox, queues, deliveries }: Overview): Markup {
  const now = at.getTime();
  return html`<div class="tiles">
    ${tileOf('Settled per second', activity, ({ lastMinute, lastTenMinutes }) =>
      tile(
        'Settled per second',
        (lastMinute.settled / 60).toFixed(1),
        `last minute; ${(lastTenMinutes.settled / 600).toFixed(1)} over ten minutes`,
      ),
    )}
    ${tileOf('Backlog', backlog, ({ total, merchantsBehind, partial }) =>
      tile('Backlog', count(total, partial), `events of ${count(merchantsBehind, partial)} merchants`),
    )}
    ${tileOf('Oldest pending', backlog, ({ busiest }) => {
      const oldest = Math.min(...busiest.flatMap((lane) => lane.oldestPendingAt?.getTime() ?? []));
      return Number.isFinite(oldest)
        ? tile('Oldest pending', span(now - oldest), 'in the longest lanes', now - oldest > 60_000 ? 'warn' : 'plain')
        : tile('Oldest pending', '–', 'nothing pending');
    })}
    ${tileOf('Held lanes', held, (lanes) =>
      tile('Held lanes', count(lanes.length), 'blocked or paused', lanes.length > 0 ? 'bad' : 'good'),
    )}
    ${tileOf('Waiting', deliveries, (rows) =>
      tile('Waiting', count(rows.length), 'deliveries shown below', rows.length > 0 ? 'warn' : 'good'),
    )}
    ${tileOf('Dead letters', queues, (rows) => {
      const known = rows.flatMap((row) => ('messages' in row.deadLetters ? [row.deadLetters.messages] : []));
      if (known.length === 0) return unknownTile('Dead letters');
      const sum = known.reduce((total, messages) => total + messages, 0);
      const partial = known.length < rows.length;
      const tone = sum > 0 ? 'bad' : partial ? 'warn' : 'good';
      return tile('Dead letters', count(sum, partial), partial ? 'in the DLQs that answer' : 'in all DLQs', tone);
    })}
    ${tileOf('Outbox', outbox, (streams) => {
      const pending = streams.reduce((total, stream) => total + stream.count, 0);
      const oldest = Math.min(...streams.map((stream) => stream.oldestAt.getTime()));
      const late = pending > 0 && now - oldest > 30_000;
      return tile(
        'Outbox',
        count(pending),
        pending === 0 ? 'nothing to publish' : `oldest ${span(now - oldest)}`,
        late ? 'warn' : 'plain',
      );
    })}
  </div>`;
}

export function overviewPage(overview: Overview, registry: Registry): Markup {
  const { at } = overview;
  const handlers = new Set([...registry.values()].flatMap((event) => event.handlers.map((handler) => handler.name)));
  return page(
    { title: 'Overview', at, path: '/', live: true },
    html`${tiles(overview)}
      ${section('Waiting deliveries', overview.deliveries, (rows) =>
        table(
          rows,
          [{ head: 'Merchant', cell: (row) => merchantLink(row.merchantId) }, ...deliveryColumns(registry, at)],
          'No event waits for another try.',
        ),
      )}
      <div class="grid">
        ${section('Blocked and paused lanes', overview.held, (rows) =>
          table(
            rows,
            [
              { head: 'Merchant', cell: (row) => merchantLink(row.merchantId) },
              { head: 'State', cell: (row) => laneBadge(row.state) },
              { head: 'Reason', cell: (row) => row.stateReason ?? '–' },
              { head: 'Since', cell: (row) => ago(row.updatedAt, at) },
              { head: 'Backlog', cell: (row) => count(row.backlog), numeric: true },
            ],
            'No lane waits for an operator.',
          ),
        )}
        ${section('Longest lanes', overview.backlog, ({ busiest }) =>
          table(busiest, laneColumns(at), 'Every lane is caught up.'),
        )}
        ${section('Queues and dead-letter queues', overview.queues, (rows) =>
          table(
            rows,
            [
              { head: 'Queue', cell: (row) => row.queue },
              { head: 'Messages', cell: (row) => depthCell(row.depth, false), numeric: true },
              { head: 'DLQ', cell: (row) => row.deadLetterQueue },
              { head: 'Messages', cell: (row) => depthCell(row.deadLetters, true), numeric: true },
            ],
            'The registry names no queue.',
          ),
        )}
        ${section('Given up in the last 24 hours', overview.dead, (rows) =>
          table(
            rows,
            [
              {
                head: 'Handler',
                cell: (row) =>
                  // Effects that were given up have no settlement, so the list would be empty.
                  handlers.has(row.handler)
                    ? html`<a href="${deadLettersPath({ handler: row.handler })}">${row.handler}</a>`
                    : row.handler,
              },
              { head: 'Code', cell: (row) => html`<code>${row.code}</code>` },
              { head: 'Count', cell: (row) => count(row.count), numeric: true },
              { head: 'Last', cell: (row) => ago(row.lastAt, at) },
            ],
            'Nothing was given up.',
          ),
        )}
        ${section('Workers', overview.activity, ({ workers }) =>
          table(
            workers,
            [
              { head: 'Worker', cell: (row) => row.worker },
              { head: 'Last minute', cell: (row) => count(row.settledLastMinute), numeric: true },
              { head: 'Ten minutes', cell: (row) => count(row.settledLastTenMinutes), numeric: true },
              { head: 'Last settled', cell: (row) => ago(row.lastSettledAt, at) },
              { head: 'Relay shards', cell: (row) => count(row.relayShards), numeric: true },
            ],
            'No worker was seen in the last ten minutes.',
          ),
        )}
        ${section('Outbox', overview.outbox, (rows) =>
          table(
            rows,
            [
              { head: 'Stream', cell: (row) => row.stream },
              { head: 'Pending', cell: (row) => count(row.count, row.partial), numeric: true },
              { head: 'Oldest', cell: (row) => ago(row.oldestAt, at) },
              { head: 'Retrying', cell: (row) => count(row.retrying), numeric: true },
            ],
            'Everything is published.',
          ),
        )}
        ${section('Effects', overview.effects, (rows) =>
          table(
            rows,
            [
              { head: 'Destination', cell: (row) => row.destination },
              { head: 'Open', cell: (row) => count(row.open), numeric: true },
              {
                head: 'Outcome unknown',
                cell: (row) => (row.unknown > 0 ? badge(count(row.unknown), 'warn') : '0'),
                numeric: true,
              },
              { head: 'Dead', cell: (row) => (row.dead > 0 ? badge(count(row.dead), 'bad') : '0'), numeric: true },
              { head: 'Oldest open', cell: (row) => ago(row.oldestOpenAt, at) },
            ],
            'Every intent is true.',
          ),
        )}
        ${section('Campaigns on ad networks', overview.networks, (rows) =>
          table(
            rows,
            [
              { head: 'Network', cell: (row) => row.adNetworkId },
              { head: 'Live', cell: (row) => count(row.live), numeric: true },
              { head: 'Pending', cell: (row) => count(row.pending), numeric: true },
              {
                head: 'Failed',
                cell: (row) => (row.failed > 0 ? badge(count(row.failed), 'bad') : '0'),
                numeric: true,
              },
              { head: 'Not as desired', cell: (row) => count(row.differing), numeric: true },
            ],
            'No campaign was sent to a network yet.',
          ),
        )}
      </div>`,
  );
}
