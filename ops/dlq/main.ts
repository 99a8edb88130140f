/** `npm run dlq`: what was given up, and trying it again. */
import { userInfo } from 'node:os';
import { resolveAddresses } from '../../core/clients/addresses.ts';
import { connectSQS } from '../../core/clients/sqs.ts';
import { registry } from '../../core/events/registry.ts';
import { topologyOf } from '../../core/events/topology.ts';
import { systemClock as clock } from '../../core/runtime/clock.ts';
import { wakeNow } from '../lanes/activation.ts';
import { sayUsage } from '../arguments.ts';
import { type OperatorSystem, type Said, runOperatorCommand } from '../operator-command.ts';
import { type DlqCommand, parseArguments, usage } from './parse-arguments.ts';
import { runDlqCommand } from './run-command.ts';

async function main(): Promise<number> {
  const events = [...registry.values()];
  const parsed = parseArguments(process.argv.slice(2), userInfo().username, {
    queues: [...new Set(events.map(({ deadLetterQueue }) => deadLetterQueue))],
    handlers: events.flatMap(({ handlers }) => handlers.map(({ name }) => name)),
  });
  switch (parsed.kind) {
    case 'help':
    case 'invalid':
      return sayUsage(parsed, usage);
    case 'run':
      return await runOperatorCommand(parsed, (system) => run(system, parsed.command));
    default:
      return parsed satisfies never;
  }
}

async function run(system: OperatorSystem, command: DlqCommand): Promise<Said> {
  const { stack, awsAccount: account } = system.config;
  // Only said, where a queue is missing; the SDK reads it for itself.
  const region = process.env['AWS_REGION'] ?? 'the configured region';
  const sqs = connectSQS();
  try {
    const topology = topologyOf(registry, stack);
    const addresses = await resolveAddresses(sqs, topology, { region, account });
    const sources = new Map(topology.queues.map(({ name, deadLetterQueue }) => [deadLetterQueue.name, name]));
    return await runDlqCommand(
      {
        db: system.db,
        registry,
        sqs,
        clock,
        queueUrl: (name) => addresses.queueUrl(name),
        sourceOf: (deadLetterQueue) => sources.get(deadLetterQueue) ?? deadLetterQueue,
        wake: (merchantId) => wakeNow({ ...system, stack }, merchantId),
      },
      command,
    );
  } finally {
    sqs.destroy();
  }
}

process.exitCode = await main();
