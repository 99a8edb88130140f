/** `npm run lanes`: what operators see of merchants' lanes and tell them. */
import { userInfo } from 'node:os';
import { registry } from '../../core/events/registry.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { sayUsage } from '../arguments.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { parseArguments, usage } from './parse-arguments.ts';
import { runLanesCommand } from './run-command.ts';

async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2), userInfo().username);
  switch (parsed.kind) {
    case 'help':
    case 'invalid':
      return sayUsage(parsed, usage);
    case 'run':
      return await runOperatorCommand(parsed, ({ config, ...system }) =>
        runLanesCommand({ ...system, stack: config.stack, laneCap: config.laneCap, registry, clock }, parsed.command),
      );
    default:
      return parsed satisfies never;
  }
}

process.exitCode = await main();
