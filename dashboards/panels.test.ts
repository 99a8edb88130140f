import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { silentLog } from '../core/runtime/log.ts';
import { createPanelLoader } from './panels.ts';

test('a panel whose source fails says why', async () => {
  const loadPanel = createPanelLoader(silentLog);
  const failing = await loadPanel('backlog', () => Promise.reject(new Error('connection refused')));
  assert.equal(failing, { ok: false, error: 'connection refused' });
  assert.equal(await loadPanel('backlog', async () => 7), { ok: true, value: 7 });
});

test('a panel whose source never answers ends at its deadline', async () => {
  const loadPanel = createPanelLoader(silentLog, 20);
  // The deadline's own timer does not keep a process alive.
  const alive = setTimeout(() => undefined, 10_000);
  const hanging = await loadPanel('backlog', () => new Promise(() => undefined));
  clearTimeout(alive);
  assert.equal(hanging, { ok: false, error: 'reading backlog took longer than 20 ms' });
});

test.run();
