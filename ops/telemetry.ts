import { writeFileSync } from 'node:fs';
import { telemetryDocument } from './telemetry-document.ts';

/** Writes docs/telemetry.md. */
writeFileSync(new URL('../docs/telemetry.md', import.meta.url), telemetryDocument());
