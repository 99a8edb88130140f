import { parseArgs } from 'node:util';
import { exitWithParent } from '../child-process.ts';
import { createEmulator } from './app.ts';
import { createClock } from './clock.ts';
import { restoreState, writeState } from './state-file.ts';

const { values } = parseArgs({ options: { port: { type: 'string' }, 'state-file': { type: 'string' } } });
const stateFile = values['state-file'];
if (values.port === undefined) throw new Error('usage: main.ts --port <port> [--state-file <file>]');

const { app, stores } = await createEmulator(createClock(), stateFile === undefined ? undefined : `${stateFile}.s3`);
if (stateFile !== undefined) restoreState(stateFile, stores, `127.0.0.1:${values.port}`);

let stopping = false;
const stop = () => {
  if (stopping) return;
  stopping = true;
  // In this order: an accepted message that is not in the file would be lost.
  void app.close().then(() => {
    if (stateFile !== undefined) writeState(stateFile, stores);
    process.exit(0);
  });
};
process.once('SIGTERM', stop);
exitWithParent(stop);
await app.listen({ host: '127.0.0.1', port: Number(values.port) });
console.log(`SQS, SNS and S3 on 127.0.0.1:${values.port}`);
