import { join } from 'node:path';
import { answersHttp, startChild } from '../child-process.ts';
import { freePort } from '../free-port.ts';

export interface DynamoOptions {
  /** Where tables are kept. In memory when it is left out. */
  readonly dir?: string;
  /** A free one is taken when it is left out. */
  readonly port?: number;
  readonly logFile: string;
  /** How often expired items are deleted. AWS takes days: nothing may rely on it. */
  readonly sweepEveryMs?: number;
  readonly onUnexpectedExit?: (reason: string) => void;
}

export interface RunningDynamo {
  readonly endpoint: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** DynamoDB on a loopback port, as a process of its own. */
export async function startDynamo(options: DynamoOptions): Promise<RunningDynamo> {
  const port = options.port ?? (await freePort());
  const endpoint = `http://127.0.0.1:${port}`;
  const child = await startChild({
    name: 'the DynamoDB emulator',
    command: process.execPath,
    args: [
      join(import.meta.dirname, 'main.ts'),
      ...['--port', String(port)],
      ...(options.dir === undefined ? [] : ['--dir', options.dir]),
      ...(options.sweepEveryMs === undefined ? [] : ['--sweep-every-ms', String(options.sweepEveryMs)]),
    ],
    logFile: options.logFile,
    ready: () => answersHttp(endpoint),
    watchParent: true,
    onUnexpectedExit: () => options.onUnexpectedExit?.(`DynamoDB is gone, see ${options.logFile}`),
  });
  return { endpoint, port, pid: child.pid, stop: async () => void (await child.stop()) };
}
