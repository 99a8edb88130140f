import { databaseName } from '../local/database.ts';
import { freePort } from '../local/free-port.ts';
import { consoleEnvironment, gatewayEnvironment, region, workerEnvironment } from '../local/process-environment.ts';
import type { Progress } from '../local/progress.ts';
import { type RunningStack, addressesOf } from '../local/stack.ts';
import { startTemporaryStack } from '../local/temporary-stack.ts';

type Process = 'worker' | 'gateway' | 'console' | 'migration';

export interface EmbeddedStack extends AsyncDisposable {
  stack: RunningStack;
  /** What a container of each process is told, and where it then listens. */
  settingsOf(process: Process): Promise<{ environment: Record<string, string>; url: string }>;
}

/** The local servers, prepared, with a gateway of their own and no worker: what is worked, a container has worked. */
export async function startEmbeddedStack(progress: Progress): Promise<EmbeddedStack> {
  const temporary = await startTemporaryStack({ workers: 0, progress });
  const { stack } = temporary;
  const { servers, secrets } = stack;
  const shared = { addresses: addressesOf(servers, secrets), secrets };
  const told = (process: Process, port: number): Record<string, string> => {
    switch (process) {
      case 'worker':
        return workerEnvironment(shared, 'image-worker', 1);
      case 'gateway':
        return gatewayEnvironment(shared, port);
      case 'console':
        return consoleEnvironment(shared, port);
      case 'migration':
        return {
          AWS_REGION: region,
          LANEWAY_POSTGRES_URL: servers.postgres.current.url('postgres', secrets.superuserPassword, databaseName),
        };
      default:
        return process satisfies never;
    }
  };
  return {
    stack,
    async settingsOf(process) {
      const port = await freePort();
      const environment = { ...ofLaneway(told(process, port)), LANEWAY_PORT: String(port) };
      return { environment, url: `http://127.0.0.1:${port}` };
    },
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  };
}

/** A container gets what it needs and nothing of this machine's own environment. */
const ofLaneway = (environment: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => /^(AWS|LANEWAY)_/.test(name)));
