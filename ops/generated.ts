import { registry } from '../core/events/registry.ts';
import { fileOf, snapshotFolder, snapshotsOf, textOf } from './event-schemas/snapshots.ts';
import { eventsDocument } from './events-document.ts';
import { makeOpenApi } from './openapi.ts';
import { telemetryDocument } from './telemetry-document.ts';
import { drawing } from './pulumi/verify/drawing.ts';
import { licencesDocument } from './supply-chain/licences-document.ts';
import { readLock } from './supply-chain/read-lock.ts';
import { readFigures } from './scale/figures.ts';
import { scaleDocument } from './scale/scale-document.ts';
import { runWithMocks } from './pulumi/verify/run-with-mocks.ts';

/** Committed files that are made from code; `npm run check` compares each with what the code makes now. */
export const generated: readonly { file: string; make: () => Promise<string> }[] = [
  { file: 'docs/events.md', make: () => Promise.resolve(eventsDocument(registry)) },
  { file: 'docs/openapi.json', make: makeOpenApi },
  { file: 'docs/licences.md', make: () => Promise.resolve(licencesDocument(readLock())) },
  { file: 'docs/scale.md', make: () => Promise.resolve(scaleDocument(readFigures())) },
  { file: 'docs/telemetry.md', make: () => Promise.resolve(telemetryDocument()) },
  ...snapshotsOf(registry).map((snapshot) => ({
    file: `${snapshotFolder}/${fileOf(snapshot)}`,
    make: () => Promise.resolve(textOf(snapshot)),
  })),
  {
    file: 'docs/infrastructure.md',
    make: async () => drawing(await runWithMocks({ environment: 'production' })),
  },
];
