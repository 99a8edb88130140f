import { registry } from '../../../../core/events/registry.ts';
import { runOnce } from '../../../local/once.ts';
import { createProgress } from '../../../local/progress.ts';
import { startTemporaryStack } from '../../../local/temporary-stack.ts';
import { firstCampaign } from '../../../local/welcome.ts';
import { recordRequests } from './record-requests.ts';

/** Actions by the access key they were signed with; each process of the local stack signs with its name. */
export type RecordedActions = ReadonlyMap<string, ReadonlySet<string>>;

/** Runs the local stack under a load, looks at the console, and tells which actions of AWS each process asked for. */
export async function recordStack(load: { events: number; merchants: number; seed: number }): Promise<RecordedActions> {
  const recorded = new Map<string, Set<string>>();
  const tell = (accessKeyId: string, action: string) => {
    const known = recorded.get(accessKeyId) ?? new Set();
    recorded.set(accessKeyId, known.add(action));
  };
  const progress = createProgress(() => undefined);
  await using temporary = await startTemporaryStack({
    workers: 1,
    progress,
    variant: {
      registry,
      workerScript: 'workers/main.ts',
      workerEnvironment: () => ({}),
      workerBackoff: { baseMs: 100, capMs: 1_000, settledAfterMs: 10_000 },
      async between(direct, teardown) {
        const before = async (target: string): Promise<string> => {
          const recorder = await recordRequests(target, tell);
          teardown.add(undefined, () => recorder.stop());
          return recorder.url;
        };
        return {
          ...direct,
          emulatorEndpoint: await before(direct.emulatorEndpoint),
          dynamodbEndpoint: await before(direct.dynamodbEndpoint),
          networksUrl: await before(direct.networksUrl),
        };
      },
    },
  });
  const { stack } = temporary;
  const described = stack.describe();
  const { url, headers, body } = firstCampaign(described);
  await fetch(url, { method: 'POST', headers, body });
  const { user, password } = described.opsLogin;
  const login = Buffer.from(`${user}:${password}`).toString('base64');
  await fetch(`${described.opsUrl}/api/overview.json`, { headers: { authorization: `Basic ${login}` } });
  const { stalled } = await runOnce(stack, load, progress, new AbortController().signal);
  if (stalled) throw new Error('the recorded run did not come to rest');
  return recorded;
}
