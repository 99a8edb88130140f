/** `npm run retention`: what is past its retention, what became of it, and what must be kept all the same. */
import { userInfo } from 'node:os';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { sayUsage } from '../arguments.ts';
import { runOperatorCommand } from '../operator-command.ts';
import { parseArguments, usage } from './parse-arguments.ts';
import { runRetentionCommand } from './run-command.ts';

async function main(): Promise<number> {
  const parsed = parseArguments(process.argv.slice(2), userInfo().username);
  switch (parsed.kind) {
    case 'help':
    case 'invalid':
      return sayUsage(parsed, usage);
    case 'run':
      return await runOperatorCommand(parsed, ({ db }) => runRetentionCommand({ db, clock }, parsed.command));
    default:
      return parsed satisfies never;
  }
}

process.exitCode = await main();
