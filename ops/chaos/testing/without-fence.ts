import { registerHooks } from 'node:module';

/**
 * Takes the fence out of a worker that is started with `--import` of this file: rows are read without their lock, and
 * nobody is refused. For the proof that the checker notices; the product has no such switch.
 */
const cuts = [
  { what: 'the lock', pattern: /\bfor (no key )?update\b.*$/gm, by: '' },
  { what: 'the refusal', pattern: /\bexpectedCursor === undefined \|\|/g, by: 'true ||' },
];

registerHooks({
  load(url, context, nextLoad) {
    const loaded = nextLoad(url, context);
    if (!url.endsWith('/workers/fence.ts')) return loaded;
    let source = new TextDecoder().decode(
      typeof loaded.source === 'string' ? Buffer.from(loaded.source) : loaded.source,
    );
    for (const { what, pattern, by } of cuts) {
      if (source.search(pattern) < 0)
        throw new Error(`workers/fence.ts has changed: cannot find ${what} to take it out`);
      source = source.replace(pattern, by);
    }
    return { ...loaded, source };
  },
});
