import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Environment } from '../settings.ts';
import { startEngine } from './engine.ts';
import { exampleConfig, exampleSecretKeys } from './example-config.ts';
import type { Graph } from './graph.ts';

export interface EngineRun {
  graph: Graph;
  /** 0 when the program ran to its end. */
  exitCode: number | null;
  /** What it logged as errors, and what it printed. */
  complaints: string;
}

const DEADLINE_MS = 120_000;
const runner = fileURLToPath(import.meta.resolve('@pulumi/pulumi/cmd/run/index.js'));
const folder = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs a program as `pulumi preview` and `pulumi up` do: the SDK's own runner in a process of its own, against an engine.
 * `program` is the real one unless a check wants to see another one fail.
 */
export async function runInEngine(
  environment: Environment,
  options: { preview: boolean; program?: string; config?: Readonly<Record<string, string>> },
): Promise<EngineRun> {
  await using engine = await startEngine({ stack: environment, preview: options.preview });
  const child = spawn(
    process.execPath,
    [
      runner,
      '--project=laneway',
      `--stack=${environment}`,
      `--monitor=${engine.address}`,
      `--engine=${engine.address}`,
      `--pwd=${folder}`,
      '--parallel=16',
      ...(options.preview ? ['--dry-run'] : []),
      options.program ?? 'index.ts',
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEADLINE_MS,
      killSignal: 'SIGKILL',
      env: {
        ...process.env,
        PULUMI_CONFIG: JSON.stringify({ ...exampleConfig, ...options.config }),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(exampleSecretKeys),
        PULUMI_NODEJS_TYPESCRIPT: 'false',
      },
    },
  );
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (chunk: string) => (printed += chunk));
  await once(child, 'close');
  return {
    graph: engine.resources,
    exitCode: child.exitCode,
    complaints: [...engine.errors, printed].join('\n').trim(),
  };
}
