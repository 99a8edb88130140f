import type { Progress } from './remove-ended.ts';
import type { Letters, Listed } from './find-items.ts';
import type { Planned } from './plan.ts';

/** For people; `--json` has the same for programs. */
export function presentItems(
  items: readonly (Listed | Planned)[],
  { letters, ...left }: { letters: readonly Letters[]; more: boolean; next: string | null },
): string {
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
  const count = `${items.length}${left.more ? ' of more' : ''} given up`;
  return [...lines, count, ...moreOf(left), ...queues].join('\n');
}

/** Nobody shall take a part for the whole. */
const moreOf = ({ more, next }: { more: boolean; next: string | null }): string[] => {
  if (!more) return [];
  return [
    next === null ? 'there are more: a larger --limit, or --queue' : `there are more: go on with --after ${next}`,
  ];
};

export function presentRun(
  { run, over, lettersRemoved, ...progress }: { run: string; over: boolean; lettersRemoved: number } & Progress,
  left: { more: boolean; next: string | null },
): string {
  const counts = Object.entries(progress).flatMap(([name, count]) => (count === 0 ? [] : [`${name} ${count}`]));
  const end = over ? [] : [`go on with: npm run dlq -- redrive --resume ${run}`];
  return [`run ${run}: ${counts.join(', ')}; ${lettersRemoved} dead letters removed`, ...end, ...moreOf(left)].join(
    '\n',
  );
}
