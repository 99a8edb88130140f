import { knownVariables } from '../../../../core/runtime/config.ts';
import { requiredBySource } from '../required-by-source.ts';
import { type Container, type Graph, containersOf, ofType } from '../graph.ts';
import { type Check, complain } from './check.ts';

const processes = ['worker', 'gateway', 'console', 'migration'] as const;
type Process = (typeof processes)[number];
const isProcess = (name: string): name is Process => processes.some((process) => process === name);

const containers = (graph: Graph): Container[] =>
  ofType(graph, 'aws:ecs/taskDefinition:TaskDefinition').flatMap(containersOf);

/** Containers of a process of ours, by process. */
export const processContainers = (graph: Graph): { process: Process; container: Container }[] =>
  containers(graph).flatMap((container) => (isProcess(container.name) ? [{ process: container.name, container }] : []));

export const containersAreConfined: Check = {
  name: 'containers run as nobody in particular, on a read-only root, without capabilities, and log somewhere',
  complaints: (graph) =>
    containers(graph).flatMap(({ name, user, readonlyRootFilesystem, raw, stopTimeout, image }) => [
      ...complain(user === undefined || /^(0|root)\b/.test(user), `${name} runs as root`),
      ...complain(readonlyRootFilesystem !== true, `${name} can write to its root`),
      ...complain(
        !JSON.stringify(raw['linuxParameters'] ?? '').includes('"drop":["ALL"]'),
        `${name} keeps capabilities`,
      ),
      ...complain(raw['privileged'] === true, `${name} is privileged`),
      ...complain(raw['logConfiguration'] === undefined, `${name} logs nowhere`),
      ...complain((stopTimeout ?? 0) > 120, `${name}: Fargate waits 120 s at most, not ${stopTimeout}`),
      ...complain(image.endsWith(':latest'), `${name} runs whatever was pushed last`),
      ...complain(
        isProcess(name) && name !== 'migration' && raw['healthCheck'] === undefined,
        `${name} is never asked whether it is well`,
      ),
    ]),
};

/** Read by the AWS SDK, not by us. */
const readBySdk = new Set(['AWS_REGION']);

export const environmentAgrees: Check = {
  name: 'what a process must be told is set, and what is set is read, as core/runtime/config.ts has it',
  complaints: (graph) => [
    ...processes
      .filter((process) => !processContainers(graph).some((each) => each.process === process))
      .map((process) => `nothing runs the ${process}`),
    ...processContainers(graph).flatMap(({ process, container }) => {
      const known = knownVariables(process);
      const set = [...Object.keys(container.environment), ...Object.keys(container.secrets)];
      const must = [...known.filter(({ required }) => required).map(({ name }) => name), ...requiredBySource(process)];
      const names = new Set(known.map(({ name }) => name));
      return [
        ...[...new Set(must)].filter((name) => !set.includes(name)).map((name) => `${process} is not told ${name}`),
        ...set
          .filter((name) => !names.has(name) && !readBySdk.has(name))
          .map((name) => `${process} is told ${name}, which it does not read`),
        ...set.filter((name, index) => set.indexOf(name) !== index).map((name) => `${process} is told ${name} twice`),
      ];
    }),
  ],
};

const SECRET_NAME = /(PASSWORD|TOKEN|SECRET|HMAC|CREDENTIALS|_KEY)$/;

export const secretsComeByReference: Check = {
  name: 'passwords, tokens and keys come from Secrets Manager',
  complaints: (graph) =>
    processContainers(graph).flatMap(({ process, container }) => [
      ...Object.keys(container.environment)
        .filter((name) => SECRET_NAME.test(name))
        .map((name) => `${process} is told ${name} in its environment`),
      ...Object.entries(container.environment)
        .filter(([, value]) => /:\/\/[^/\s]*:[^/@\s]+@/.test(value))
        .map(([name]) => `${process}: ${name} has a password in it`),
      ...Object.entries(container.secrets)
        .filter(([, reference]) => !reference.startsWith('arn:aws:secretsmanager:'))
        .map(([name]) => `${process}: ${name} does not come from Secrets Manager`),
    ]),
};

export const timeoutsAgree: Check = {
  name: 'a redelivery comes after accepting gave up and not after the lease; draining ends before the stop time-out',
  complaints: (graph) => {
    const worker = processContainers(graph).find(({ process }) => process === 'worker')?.container;
    if (worker === undefined) return ['there is no worker'];
    const setting = (name: string): number => Number(worker.environment[name]);
    const [lease, drain] = [setting('LANEWAY_LEASE_MS'), setting('LANEWAY_DRAIN_MS')];
    const visibility = setting('LANEWAY_VISIBILITY_SECONDS') * 1_000;
    const queues = ofType(graph, 'aws:sqs/queue:Queue').filter(({ inputs }) => inputs['redrivePolicy'] !== undefined);
    return [
      ...complain(
        !(acceptDeadlineMs < visibility),
        `accepting may take longer (${acceptDeadlineMs} ms) than ${visibility} ms`,
      ),
      ...complain(
        !(visibility <= lease),
        `the visibility timeout (${visibility} ms) is longer than the lease (${lease} ms)`,
      ),
      ...processContainers(graph)
        .filter(({ process }) => process !== 'migration')
        .flatMap(({ process, container }) =>
          complain(
            !(Number(container.environment['LANEWAY_DRAIN_MS']) < (container.stopTimeout ?? 0) * 1_000),
            `${process} drains for ${drain} ms and is killed before`,
          ),
        ),
      ...queues
        .filter(({ inputs }) => Number(inputs['visibilityTimeoutSeconds']) * 1_000 !== visibility)
        .map(({ name }) => `${name} hides messages for another time than workers believe`),
    ];
  },
};

/** Waking merchants is the last step before a message is deleted, and the longest with a deadline: workers/pipeline.ts. */
const acceptDeadlineMs = 10_000;

export const imagesArePinned: Check = {
  name: 'images come from our repositories, by a tag that is given once',
  complaints: (graph) => [
    ...ofType(graph, 'aws:ecr/repository:Repository')
      .filter(({ inputs }) => inputs['imageTagMutability'] !== 'IMMUTABLE')
      .map(({ name }) => `${name}: a tag can be pushed over`),
    ...processContainers(graph)
      .filter(({ container }) => !/\.dkr\.ecr\..+:[\w.-]+$/.test(container.image))
      .map(({ process, container }) => `${process} runs ${container.image}`),
  ],
};
