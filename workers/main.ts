import { loadHandlers, runWorker } from './worker.ts';
import { registry } from '../core/events/registry.ts';
import { loadConfig } from '../core/runtime/config.ts';
import { LanewayError } from '../core/runtime/errors.ts';
import { schedules } from '../core/schedules/schedules.ts';

try {
  await runWorker({ config: loadConfig(), registry, handlers: await loadHandlers(registry), schedules });
} catch (error) {
  if (!(error instanceof LanewayError)) throw error;
  // In words, since a person has to act on it. Starting again helps (1), or only a change of the deployment does (2).
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exit(error.retry === 'backoff' ? 1 : 2);
}
