import { writeFileSync } from 'node:fs';
import { registry } from '../core/events/registry.ts';
import { describeEvent, eventsDocument } from './events-document.ts';

/** `npm run events -- list [--json]` shows the registry; `npm run events -- document` writes docs/events.md. */
const usage = 'usage: npm run events -- list [--json] | document\n';

function list(json: boolean): string {
  const events = [...registry.values()].map(describeEvent);
  if (json) return `${JSON.stringify(events, null, 2)}\n`;
  return events
    .map((event) => {
      const handlers = event.handlers.map(
        (h) => `    ${h.name} (${h.service}) holds ${h.holds}, on poison ${h.onPoison}\n`,
      );
      return `${event.name} ${event.version}  ${event.topic ?? event.queue} → ${event.queue}, ${event.deadLetterQueue}\n${handlers.join('')}`;
    })
    .join('');
}

const [command, ...rest] = process.argv.slice(2);
if (command === 'list' && rest.every((argument) => argument === '--json')) {
  process.stdout.write(list(rest.includes('--json')));
} else if (command === 'document' && rest.length === 0) {
  writeFileSync(new URL('../docs/events.md', import.meta.url), eventsDocument(registry));
} else {
  process.stderr.write(usage);
  process.exitCode = 2;
}
