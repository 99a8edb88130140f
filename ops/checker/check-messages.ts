import { type Evidence, type Finding, keyOf } from './evidence.ts';

/**
 * A message that its provider took twice from us reached somebody twice: two under one name of ours, or more to an address
 * than there are notifications for it.
 */
export function checkMessages({ messages, notified }: Pick<Evidence, 'messages' | 'notified'>): Finding[] {
  const named = messages.filter(({ tag }) => tag !== null);
  const twice = [...Map.groupBy(named, ({ channel, tag }) => keyOf(channel, tag ?? '')).values()].flatMap((same) =>
    same.length < 2 ? [] : [`${same[0]?.channel} ${same[0]?.tag} was taken ${same.length} times`],
  );
  const counts = new Map(notified.map(({ channel, to, count }) => [keyOf(channel, to), count]));
  const tooMany = [...Map.groupBy(messages, ({ channel, to }) => keyOf(channel, ...to))].flatMap(([key, taken]) => {
    const wanted = counts.get(key) ?? 0;
    return taken.length > wanted ? [`${key} got ${taken.length} messages of ${wanted}`] : [];
  });
  return [...twice, ...tooMany].map((what) => ({ kind: 'duplicated', what }));
}
