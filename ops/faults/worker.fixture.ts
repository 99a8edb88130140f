import { loadConfig } from '../../core/runtime/config.ts';
import { createSchedules } from '../../core/schedules/schedules.ts';
import { loadHandlers, runWorker } from '../../workers/worker.ts';
import { faultRegistry } from './fault-event.ts';

/** A worker as it is deployed, with one more event. */
const config = loadConfig();
const registry = faultRegistry(config.processName ?? '');
await runWorker({ config, registry, handlers: await loadHandlers(registry), schedules: createSchedules([]) });
