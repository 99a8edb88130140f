import { userInfo } from 'node:os';
import { registry } from '../../core/events/registry.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { sayUsage } from '../arguments.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { parseArguments, usage } from './parse-arguments.ts';
import { runBackfill } from './run-backfill.ts';

/** `npm run events -- backfill`. Resolves with the exit code. */
export async function backfill(args: readonly string[]): Promise<number> {
  const handlers = [...registry.values()].flatMap((event) => event.handlers.map(({ name }) => name));
  const parsed = parseArguments(args, userInfo().username, handlers);
  switch (parsed.kind) {
    case 'help':
    case 'invalid':
      return sayUsage(parsed, usage);
    case 'run':
      return await runOperatorCommand(parsed, ({ db, activations }) =>
        runBackfill(
          // The sweeper finds what Redis does not take.
          { db, registry, clock, wake: (merchantIds) => activations.wake(merchantIds).catch(() => undefined) },
          parsed.command,
        ),
      );
    default:
      return parsed satisfies never;
  }
}
