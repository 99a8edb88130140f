import { z } from 'zod';
import { waitFor } from '../../core/testing/wait-for.ts';
import { firstCampaign } from '../local/welcome.ts';
import type { BuiltImage } from './build-image.ts';
import { type Container, type Ended, startContainer } from './container.ts';
import type { EmbeddedStack } from './embedded-stack.ts';

/** Longer than LANEWAY_DRAIN_MS of the local stack, shorter than an orchestrator's patience. */
const DRAIN_DEADLINE_MS = 30_000;
const START_DEADLINE_MS = 90_000;
const CAMPAIGN_DEADLINE_MS = 90_000;
const MIGRATION_DEADLINE_MS = 120_000;

export interface Trial {
  process: string;
  healthy: true;
  user: number;
  drainSeconds: number;
}

type Images = Readonly<Record<BuiltImage['name'], BuiltImage>>;

/**
 * Runs every process from its image against the embedded stack, sends a campaign through all of it, and ends them. Throws
 * at the first thing that is not as it should be, with the container's log.
 */
export async function tryImages(images: Images, embedded: EmbeddedStack): Promise<Trial[]> {
  await migrate(images.worker, embedded);
  await using worker = await start('worker', images.worker, embedded);
  await using gateway = await start('gateway', images.gateway, embedded);
  await using opsConsole = await start('console', images.gateway, embedded, ['node', 'dashboards/main.ts']);
  await sendCampaign(embedded, gateway.url);
  // One after the other, so that each has the machine to itself while it drains.
  const trials: Trial[] = [];
  for (const { process, container, user } of [gateway, opsConsole, worker]) {
    const { code, seconds, log } = await container.terminate(DRAIN_DEADLINE_MS);
    demand(code === 0, `${process}: SIGTERM ended it with ${code ?? 'nothing'} after ${seconds} s`, log);
    demand(log.includes('"stopped"'), `${process}: it did not say that it stopped`, log);
    trials.push({ process, healthy: true, user, drainSeconds: seconds });
  }
  return trials;
}

interface Started extends AsyncDisposable {
  process: string;
  url: string;
  container: Container;
  user: number;
}

async function start(
  process: 'worker' | 'gateway' | 'console',
  image: BuiltImage,
  embedded: EmbeddedStack,
  command: readonly string[] = [],
): Promise<Started> {
  const { environment, url } = await embedded.settingsOf(process);
  const container = await startContainer(image.tag, environment, command);
  try {
    await healthy(process, container, url);
    const asked = await container.exec(...image.healthCommand);
    demand(asked.code === 0, `${process}: its own health check ended with ${asked.code}`, asked.stderr);
    const { user } = await confined(process, container);
    return { process, url, container, user, [Symbol.asyncDispose]: () => container[Symbol.asyncDispose]() };
  } catch (error) {
    await container[Symbol.asyncDispose]();
    throw error;
  }
}

async function healthy(process: string, container: Container, url: string): Promise<void> {
  try {
    await waitFor(`${process} to be well`, async () => (await fetch(`${url}/healthz`)).ok, {
      timeoutMs: START_DEADLINE_MS,
      everyMs: 200,
    });
  } catch (cause) {
    throw new Error(`${process} did not become well:\n${tail(await container.log())}`, { cause });
  }
}

const seenInside = z.object({
  user: z.number(),
  /** Folders in which a file could be made. */
  writable: z.array(z.string()),
  /** Hexadecimal mask of what the first process may do beyond others. */
  capabilities: z.string(),
  first: z.string(),
});

const lookAround = `
  const fs = require('node:fs');
  const canWrite = (folder) => {
    try { fs.writeFileSync(folder + '/.probe', ''); return true; } catch { return false; }
  };
  process.stdout.write(JSON.stringify({
    user: process.getuid(),
    writable: ['/', '/app', '/tmp', '/var/tmp', '/home'].filter(canWrite),
    capabilities: /CapEff:\\s+(\\w+)/.exec(fs.readFileSync('/proc/1/status', 'utf8'))[1],
    first: fs.readFileSync('/proc/1/cmdline', 'utf8').split('\\0')[0],
  }));`;

async function confined(process: string, container: Container): Promise<{ user: number }> {
  const { stdout, stderr } = await container.exec('node', '--eval', lookAround);
  demand(stdout !== '', `${process}: nothing could be run inside`, stderr);
  const { user, writable, capabilities, first } = seenInside.parse(JSON.parse(stdout));
  demand(user === 1_000, `${process} runs as ${user}`);
  demand(writable.length === 0, `${process} can write to ${writable.join(', ')}`);
  demand(/^0+$/.test(capabilities), `${process} has capabilities ${capabilities}`);
  // Signals go to the first process: a shell there would keep them.
  demand(first.endsWith('node'), `${process}: the first process is ${first}`);
  return { user };
}

async function migrate(image: BuiltImage, embedded: EmbeddedStack): Promise<void> {
  const { environment } = await embedded.settingsOf('migration');
  await using container = await startContainer(image.tag, environment, ['node', 'workers/migrate.ts']);
  const { code, log }: Ended = await container.ended(MIGRATION_DEADLINE_MS);
  demand(code === 0, `the migration ended with ${code ?? 'nothing in time'}`, log);
}

/** In by the gateway's image, worked by the worker's, out to the network, and back. */
async function sendCampaign(embedded: EmbeddedStack, gatewayUrl: string): Promise<void> {
  const { url, headers, body } = firstCampaign({ ...embedded.stack.describe(), gatewayUrl });
  const answer = await fetch(url, { method: 'POST', headers, body });
  demand(answer.ok, `the gateway answered ${answer.status} to a campaign`, await answer.text());
  await waitFor(
    'the campaign to be live',
    async () => JSON.stringify(await (await fetch(url, { headers })).json()).includes('"live"'),
    { timeoutMs: CAMPAIGN_DEADLINE_MS, everyMs: 250 },
  );
}

function demand(holds: boolean, complaint: string, log = ''): asserts holds {
  if (!holds) throw new Error([complaint, tail(log)].filter(Boolean).join('\n'));
}

const tail = (log: string): string => log.split('\n').slice(-20).join('\n');
