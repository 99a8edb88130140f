import { appendFileSync } from 'node:fs';
import { connectPostgres } from '../../core/clients/postgres.ts';
import { systemClock } from '../../core/runtime/clock.ts';
import { loadConfig } from '../../core/runtime/config.ts';
import { createSchedules } from '../../core/schedules/schedules.ts';
import { loadHandlers, runWorker } from '../../workers/worker.ts';
import { chaosRegistry, withoutHolding } from './registry.ts';
import { wrapHandlers } from './wrap-handlers.ts';

/** A worker as the product runs it, with handlers that record what they do and suffer what their events plan. */
const config = loadConfig();
const startsFile = process.env['CHAOS_STARTS_FILE'];
if (startsFile === undefined) throw new Error('CHAOS_STARTS_FILE is not set: this worker is started by a chaos run');
appendFileSync(startsFile, '');
const registry = process.env['CHAOS_WITHOUT_HOLDING'] === 'yes' ? withoutHolding(chaosRegistry) : chaosRegistry;
const worker = config.processName ?? `worker-${process.pid}`;
const { db } = connectPostgres({
  url: config.postgresUrl,
  poolSize: 2,
  applicationName: `${worker}-troubles`,
  statementTimeoutMs: 2_000,
  idleInTransactionTimeoutMs: 2_000,
});
const handlers = wrapHandlers(await loadHandlers(registry), { worker, startsFile, troubles: db, clock: systemClock });
await runWorker({ config, registry, handlers, schedules: createSchedules([]) });
