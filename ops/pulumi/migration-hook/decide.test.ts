import { test } from 'uvu';
import * as assert from 'uvu/assert';

interface Task {
  lastStatus: string;
  containers?: { name: string; exitCode?: number }[];
}
type Decide = (
  deployment: string,
  ecs: { find(name: string): Promise<Task | undefined>; start(name: string): Promise<void> },
) => Promise<{ hookStatus: string; callBackDelay?: number }>;

// Plain JavaScript, since Lambda runs it as it is: its types are said here.
const { decide } = (await import(new URL('decide.mjs', import.meta.url).href)) as { decide: Decide };
const deployment = 'arn:aws:ecs:eu-central-1:123456789012:service-deployment/laneway/gateway/0123456789abcdefABCDEF';

test('a migration is started once, waited for, and decides by its exit code', async () => {
  const started: string[] = [];
  let task: Task | undefined;
  const ecs = {
    find: (name: string) => Promise.resolve(started.includes(name) ? task : undefined),
    start: (name: string) => {
      started.push(name);
      task = { lastStatus: 'PROVISIONING' };
      return Promise.resolve();
    },
  };
  assert.is((await decide(deployment, ecs)).hookStatus, 'IN_PROGRESS');
  assert.equal(await decide(deployment, ecs), { hookStatus: 'IN_PROGRESS', callBackDelay: 15 });
  assert.is(started.length, 1);
  assert.ok((started[0] ?? '').length <= 36, 'ECS refuses a longer startedBy');
  task = { lastStatus: 'STOPPED', containers: [{ name: 'migration', exitCode: 0 }] };
  assert.equal(await decide(deployment, ecs), { hookStatus: 'SUCCEEDED' });
  task = { lastStatus: 'STOPPED', containers: [{ name: 'migration', exitCode: 1 }] };
  assert.equal(await decide(deployment, ecs), { hookStatus: 'FAILED' });
  task = { lastStatus: 'STOPPED', containers: [{ name: 'migration' }] };
  assert.equal(await decide(deployment, ecs), { hookStatus: 'FAILED' });
});

test.run();
