import type { LaneChange } from '../../core/operations/change-lane.ts';
import type { Explanation } from './explain.ts';
import type { LanePage } from './read-lanes.ts';

/** For people; `--json` has the same for programs. */
export function presentPage({ lanes, next }: LanePage): string {
  const rows = lanes.map((lane) => [
    lane.merchantId,
    lane.drainTo === null ? lane.state : 'draining',
    `${lane.backlog} behind`,
    lane.openDeliveries === 0 ? '' : `${lane.openDeliveries} open`,
    lane.dueAt === null ? '' : `due ${lane.dueAt}`,
    lane.ratePerSecond === null ? '' : `${lane.ratePerSecond}/s`,
    lane.weight === 1 ? '' : `weight ${lane.weight}`,
    lane.reason === null ? '' : `${lane.reason} (${lane.by ?? 'unknown'}, ${lane.since ?? 'unknown'})`,
  ]);
  const widths = rows.reduce<number[]>((wide, row) => row.map((cell, i) => Math.max(wide[i] ?? 0, cell.length)), []);
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const end =
    next === null ? `${lanes.length} lanes` : `${lanes.length} lanes, more with --after ${JSON.stringify(next)}`;
  return [...lines, end].join('\n');
}

export function presentExplanation(explanation: Explanation): string {
  const { kind, merchantId, cursor, backlog, event, advice, ...details } = explanation;
  const known = Object.entries(details).filter(([, value]) => value !== null);
  return [
    `${merchantId} is ${kind}`,
    `  cursor ${cursor}, ${backlog} behind`,
    ...known.map(([name, value]) => `  ${name}: ${String(value)}`),
    ...(event === null
      ? []
      : [
          `  event ${event.eventId} (${event.eventType}, number ${event.mseq})`,
          `  correlation ${event.correlationId ?? 'unknown'}, trace ${event.traceId ?? 'unknown'}`,
        ]),
    `  → ${advice}`,
  ].join('\n');
}

export function presentChange(change: LaneChange & { woken: boolean | null; pointers?: number }): string {
  const { merchantId, action, changed, after, woken } = change;
  const state = after.drainTo === null ? after.state : 'draining';
  const unchanged = `nothing to ${action.startsWith('unblock') ? 'unblock' : 'change'}: ${merchantId} is ${state}`;
  const parts = [
    changed ? `${action}: ${merchantId} is ${state}` : unchanged,
    after.weight === 1 ? '' : `weight ${after.weight}`,
    after.ratePerSecond === null ? '' : `${after.ratePerSecond} events a second`,
    change.pointers === undefined ? '' : `${change.pointers} pointers`,
    woken === false ? 'Redis was not reached, the sweeper wakes it' : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}
