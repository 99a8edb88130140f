import type { Progress } from './remove-ended.ts';
import type { Letters, Listed } from './find-items.ts';
import type { Planned } from './plan.ts';

/** For people; `--json` has the same for programs. */
export function presentItems(items: readonly (Listed | Planned)[], letters: readonly Letters[]): string {
  const lines = items.map((item) =>
    [
      'chosen' in item ? `${item.chosen ? 'redrive' : 'leave  '} ${item.order.padEnd(11)}` : item.kind.padEnd(7),
      item.queue,
      item.merchantId ?? '-',
      item.eventId ?? '-',
      item.handler,
      item.code,
      `${item.attempts} attempts`,
      item.at,
      ...('why' in item ? [item.why] : []),
      item.id,
    ].join('  '),
  );
  const queues = letters.map(({ queue, seen, partial }) => `${queue}: ${seen}${partial ? ' or more' : ''} messages`);
  return [...lines, `${items.length} given up`, ...queues].join('\n');
}

export function presentRun({
  run,
  complete,
  lettersRemoved,
  ...progress
}: { run: string; complete: boolean; lettersRemoved: number } & Progress): string {
  const counts = Object.entries(progress).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${count}`]));
  const end = complete ? '' : `\ngo on with: npm run dlq -- redrive --resume ${run}`;
  return `run ${run}: ${counts.join(', ')}; ${lettersRemoved} dead letters removed${end}`;
}
