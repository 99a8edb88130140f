/** `node ops/images/compose-environment.ts > .env`: passwords and keys for compose.yaml. */
import { newComposeSettings } from './compose-settings.ts';

for (const [name, value] of Object.entries(newComposeSettings())) process.stdout.write(`${name}=${value}\n`);
