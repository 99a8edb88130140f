import { DescribeTasksCommand, ECSClient, ListTasksCommand, RunTaskCommand } from '@aws-sdk/client-ecs';
import { decide, deploymentOf } from './decide.mjs';

/** Runs in Lambda, which brings the SDK. */
const ecs = new ECSClient({});
const cluster = process.env.CLUSTER;

async function find(startedBy) {
  for (const desiredStatus of ['RUNNING', 'STOPPED']) {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ cluster, startedBy, desiredStatus }));
    if (taskArns.length === 0) continue;
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: taskArns.slice(0, 100) }));
    return tasks.toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0))[0];
  }
  return undefined;
}

async function start(startedBy) {
  const { failures = [] } = await ecs.send(
    new RunTaskCommand({
      cluster,
      startedBy,
      // Two calls that both find nothing yet start one task.
      clientToken: startedBy,
      taskDefinition: process.env.TASK_DEFINITION,
      launchType: 'FARGATE',
      networkConfiguration: {
        awsvpcConfiguration: {
          subnets: process.env.SUBNETS.split(','),
          securityGroups: [process.env.SECURITY_GROUP],
          assignPublicIp: 'DISABLED',
        },
      },
    }),
  );
  if (failures.length > 0) throw new Error(`the migration does not start: ${JSON.stringify(failures)}`);
}

export async function handler(event) {
  const deployment = deploymentOf(event);
  const decision = await decide(deployment, { find, start });
  console.log(JSON.stringify({ deployment, ...decision }));
  return decision;
}
