import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { exitWithParent } from '../child-process.ts';
import { createDynamoServer } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string' },
    dir: { type: 'string' },
    'sweep-every-ms': { type: 'string', default: '60000' },
  },
});
if (values.port === undefined) throw new Error('usage: main.ts --port <port> [--dir <folder>] [--sweep-every-ms <ms>]');

const server = createDynamoServer({
  sweepEveryMs: Number(values['sweep-every-ms']),
  ...(values.dir === undefined ? {} : { dir: values.dir }),
});
let stopping = false;
const stop = () => {
  if (stopping) return;
  stopping = true;
  // Closing waits for the connections that SDKs keep open; the store is closed after the last of them.
  server.close(() => process.exit(0));
  server.closeAllConnections();
};
process.once('SIGTERM', stop);
exitWithParent(stop);
server.listen(Number(values.port), '127.0.0.1');
await once(server, 'listening');
console.log(`DynamoDB on 127.0.0.1:${values.port}`);
