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
const { decide, deploymentOf } = (await import(new URL('decide.mjs', import.meta.url).href)) as {
  decide: Decide;
  deploymentOf: (event: object) => string;
};
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

test('the deployment is found in the event as it is documented and as it is seen, and its absence is said', () => {
  const revision = 'arn:aws:ecs:eu-central-1:123456789012:service-revision/laneway/gateway/01275892';
  assert.is(
    deploymentOf({ resourceArn: deployment, executionDetails: { targetServiceRevisionArn: revision } }),
    deployment,
  );
  assert.is(deploymentOf({ serviceArn: 'x', targetServiceRevisionArn: revision }), revision);
  assert.is(deploymentOf({ executionDetails: { targetServiceRevisionArn: revision } }), revision);
  assert.throws(() => deploymentOf({ lifecycleStage: 'PRE_SCALE_UP' }), /names no deployment.*PRE_SCALE_UP/);
});

test.run();
