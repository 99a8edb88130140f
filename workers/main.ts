import { loadHandlers, runWorker } from './worker.ts';
import { registry } from '../core/events/registry.ts';
import { loadConfig } from '../core/runtime/config.ts';

await runWorker({ config: loadConfig(), registry, handlers: await loadHandlers(registry) });
