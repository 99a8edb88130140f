import type { Topology } from '../../core/events/topology.ts';
import type { AlarmDefinition } from './definition.ts';
import { eventAlarms } from './event-alarms.ts';
import { type SystemNames, systemAlarms } from './system-alarms.ts';

/** Every alarm of a stack. Throws an Error for two of one name: the second would silently replace the first. */
export function alarmsOf(topology: Topology, names: SystemNames): readonly AlarmDefinition[] {
  const alarms = [...eventAlarms(topology), ...systemAlarms(names)];
  const twice = alarms.filter(({ name }, index) => alarms.findIndex((other) => other.name === name) !== index);
  if (twice.length > 0) throw new Error(`alarms of one name: ${twice.map(({ name }) => name).join(', ')}`);
  return alarms;
}
