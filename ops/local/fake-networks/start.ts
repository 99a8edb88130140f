import { join } from 'node:path';
import { answersHttp, startChild } from '../child-process.ts';
import { freePort } from '../free-port.ts';

export interface FakeNetworksOptions {
  /** A free one is taken when it is left out. */
  readonly port?: number;
  /** Campaigns, accepted calls and mail are kept here. */
  readonly dir: string;
  readonly logFile: string;
  readonly onUnexpectedExit?: (reason: string) => void;
}

export interface RunningFakeNetworks {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Ad networks and a mailbox on a loopback port, as a process of their own. */
export async function startFakeNetworks(options: FakeNetworksOptions): Promise<RunningFakeNetworks> {
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const child = await startChild({
    name: 'the fake ad networks',
    command: process.execPath,
    args: [join(import.meta.dirname, 'main.ts'), '--port', String(port), '--dir', options.dir],
    logFile: options.logFile,
    ready: () => answersHttp(`${url}/healthz`),
    watchParent: true,
    onUnexpectedExit: () => options.onUnexpectedExit?.(`the fake networks are gone, see ${options.logFile}`),
  });
  return { url, port, pid: child.pid, stop: async () => void (await child.stop()) };
}
