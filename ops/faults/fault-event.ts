import { z } from 'zod';
import { type EventDefinition, thresholds } from '../../core/events/definition.ts';
import { type HandlerModule, done } from '../../core/events/handler.ts';
import { type Registry, createRegistry, registry } from '../../core/events/registry.ts';

/** What the handler of a fault event does before it is done. */
const payload = z.object({
  n: z.int(),
  /**
   * `hang` never returns; `stop` stops its whole process with SIGSTOP, in the middle of the transaction. Only in the
   * process that `in` names, so that a successor goes on.
   */
  act: z.enum(['hang', 'stop']).optional(),
  in: z.string().optional(),
});
export type FaultPayload = z.infer<typeof payload>;

export const FAULT_QUEUE = 'FaultQueue';
export const FAULT_DLQ = 'FaultDLQ';

/** @param processName of the process that runs the handler */
export const faultHandler = (processName: string): HandlerModule => ({
  handle: async (event) => {
    const { n, act, in: where } = payload.parse(event.payload);
    if (act === undefined || where !== processName) return done;
    // Nothing else tells a test that the handler was entered: its transaction commits nothing.
    process.stdout.write(`${JSON.stringify({ message: 'fault begins', merchantId: event.merchantId, n, act })}\n`);
    switch (act) {
      case 'hang':
        return await new Promise(() => undefined);
      case 'stop':
        process.kill(process.pid, 'SIGSTOP');
        return done;
      default:
        return act satisfies never;
    }
  },
});

const faultEvent = (processName: string): EventDefinition => ({
  id: 'evt_fault',
  name: 'FaultEvent',
  type: 'domain',
  category: 'Test',
  description: 'An event whose handler misbehaves on request.',
  frequency: 'low',
  priority: 'low',
  criticality: 'normal',
  routingKey: 'fault',
  sourceContext: 'Test',
  targetContexts: ['Test'],
  versions: [{ version: '1.0.0', schema: payload }],
  route: 'fifo',
  queue: FAULT_QUEUE,
  deadLetterQueue: FAULT_DLQ,
  timeoutMs: 5_000,
  retry: { retries: 3, baseMs: 1_000, capMs: 60_000 },
  thresholds: thresholds('low'),
  handlers: [
    {
      name: 'faultHandler',
      service: 'TestService',
      holds: 'merchant',
      onPoison: 'release',
      effect: 'delta',
      load: () => Promise.resolve(faultHandler(processName)),
    },
  ],
  example: { n: 1 },
});

/** Everything that the system has, and an event that misbehaves. */
export const faultRegistry = (processName: string): Registry =>
  createRegistry([...registry.values(), faultEvent(processName)]);
