import { join } from 'node:path';
import { answersHttp, startChild } from '../child-process.ts';
import { freePort } from '../free-port.ts';

export interface EmulatorOptions {
  /** A free one is taken when it is left out. */
  readonly port?: number;
  /** Queues, messages, topics and subscriptions are kept here from one graceful stop to the next start. */
  readonly stateFile?: string;
  readonly logFile: string;
  readonly onUnexpectedExit?: (reason: string) => void;
}

export interface RunningEmulator {
  readonly endpoint: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** SQS, SNS and S3 on one loopback port, as a process of its own. */
export async function startEmulator(options: EmulatorOptions): Promise<RunningEmulator> {
  const port = options.port ?? (await freePort());
  const endpoint = `http://127.0.0.1:${port}`;
  const child = await startChild({
    name: 'the SQS, SNS and S3 emulator',
    command: process.execPath,
    args: [
      join(import.meta.dirname, 'main.ts'),
      ...['--port', String(port)],
      ...(options.stateFile === undefined ? [] : ['--state-file', options.stateFile]),
    ],
    logFile: options.logFile,
    ready: () => answersHttp(`${endpoint}/health`),
    watchParent: true,
    onUnexpectedExit: () => options.onUnexpectedExit?.(`the emulator is gone, see ${options.logFile}`),
  });
  return { endpoint, port, pid: child.pid, stop: async () => void (await child.stop()) };
}
