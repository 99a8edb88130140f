/**
 * The lifecycle hook's decision, apart from how ECS is asked. ECS calls again and again while it is told `IN_PROGRESS`:
 *
 *   no task yet ─► start it, IN_PROGRESS      it runs ─► IN_PROGRESS      exit code 0 ─► SUCCEEDED, any other ─► FAILED
 *
 * The task is found again by `startedBy`, so that a second call never starts a second migration.
 */
const AGAIN_AFTER_SECONDS = 15;

/**
 * What the call is about: the deployment or, where the event names none, the revision that it brings. The guide to ECS has the
 * revision at the top of the event; the events themselves were seen with it below `executionDetails`, beside the deployment.
 */
export function deploymentOf(event) {
  const { resourceArn, targetServiceRevisionArn, executionDetails } = event;
  const arn = resourceArn ?? targetServiceRevisionArn ?? executionDetails?.targetServiceRevisionArn;
  if (typeof arn !== 'string') throw new Error(`the event names no deployment: ${JSON.stringify(event)}`);
  return arn;
}

/** At most 36 characters, which is what `startedBy` may have; the deployment's id is the end of its ARN. */
export const startedBy = (deploymentArn) => `migrate-${deploymentArn.slice(-28).replace(/[^A-Za-z0-9_-]/g, '-')}`;

/** `find(startedBy)` answers with the newest task or undefined; `start(startedBy)` starts one. */
export async function decide(deploymentArn, { find, start }) {
  const name = startedBy(deploymentArn);
  const task = await find(name);
  if (task === undefined) {
    await start(name);
    return { hookStatus: 'IN_PROGRESS', callBackDelay: AGAIN_AFTER_SECONDS };
  }
  if (task.lastStatus !== 'STOPPED') return { hookStatus: 'IN_PROGRESS', callBackDelay: AGAIN_AFTER_SECONDS };
  const migration = task.containers?.find((container) => container.name === 'migration');
  return { hookStatus: migration?.exitCode === 0 ? 'SUCCEEDED' : 'FAILED' };
}
