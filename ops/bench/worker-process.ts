import { loadConfig } from '../../core/runtime/config.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import type { HandlerModule } from '../../core/events/handler.ts';
import { createSchedules } from '../../core/schedules/schedules.ts';
import { loadHandlers, runWorker } from '../../workers/worker.ts';
import { exitWithParent } from '../local/child-process.ts';
import { benchRegistry } from './load.ts';
import { profileBetweenSignals } from './profile/between-signals.ts';

/**
 * The product's worker with the bench's one event. `BENCH_HANDLER_MS` makes every call of a handler take that much
 * longer, for parts that need lanes to be held at any time.
 */
const slowerByMs = Number(process.env['BENCH_HANDLER_MS'] ?? 0);

const slower = (module: HandlerModule): HandlerModule => {
  if (slowerByMs === 0) return module;
  if ('handleMany' in module)
    return {
      async handleMany(events, context) {
        await clock.sleep(slowerByMs, context.signal);
        return await module.handleMany(events, context);
      },
    };
  return {
    async handle(event, context) {
      await clock.sleep(slowerByMs, context.signal);
      return await module.handle(event, context);
    },
  };
};

profileBetweenSignals(process.env['BENCH_PROFILE']);
exitWithParent(() => void process.kill(process.pid, 'SIGTERM'));
const handlers = await loadHandlers(benchRegistry);
await runWorker({
  config: loadConfig(),
  registry: benchRegistry,
  handlers: new Map([...handlers].map(([name, module]) => [name, slower(module)])),
  schedules: createSchedules([]),
});
