import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { serve } from '@hono/node-server';
import { exitWithParent } from '../child-process.ts';
import { createApp } from './app.ts';

const { values } = parseArgs({ options: { port: { type: 'string' }, dir: { type: 'string' } } });
if (values.port === undefined || values.dir === undefined)
  throw new Error('usage: main.ts --port <port> --dir <folder>');

const server = serve({ fetch: createApp(values.dir).fetch, hostname: '127.0.0.1', port: Number(values.port) });
// Nothing is in memory that the journal lacks, so there is nothing to wait for.
const stop = () => process.exit(0);
process.once('SIGTERM', stop);
exitWithParent(stop);
await once(server, 'listening');
console.log(`fake networks listen on 127.0.0.1:${values.port}`);
