import { DockerfileParser, type Instruction } from 'dockerfile-ast';

/** What a Dockerfile of ours must be, each with what is wrong about one that is not, by line. */
export interface Rule {
  name: string;
  complaints(file: ParsedDockerfile): Complaint[];
}

interface Complaint {
  /** From 1. */
  line: number;
  what: string;
}

/** A Dockerfile by stages; what comes before the first `FROM` is no stage. */
interface ParsedDockerfile {
  all: readonly Instruction[];
  stages: readonly (readonly Instruction[])[];
}

const textOf = (instruction: Instruction): string => instruction.getArgumentsContent() ?? '';
const lineOf = (instruction: Instruction): number => instruction.getRange().start.line + 1;
const is = (...keywords: string[]) => {
  const wanted = new Set(keywords);
  return (instruction: Instruction): boolean => wanted.has(instruction.getKeyword());
};
const at = (instruction: Instruction, what: string): Complaint => ({ line: lineOf(instruction), what });

const lastStage = ({ stages }: ParsedDockerfile): readonly Instruction[] => stages.at(-1) ?? [];
/** What counts is the last one: Docker ignores those before it. */
const lastOf = (stage: readonly Instruction[], keyword: string): Instruction | undefined => stage.findLast(is(keyword));
const endOf = ({ all }: ParsedDockerfile): number => {
  const last = all.at(-1);
  return last === undefined ? 1 : lineOf(last);
};

function parsed(source: string): ParsedDockerfile {
  const all = DockerfileParser.parse(source).getInstructions();
  const stages: Instruction[][] = [];
  for (const instruction of all)
    if (instruction.getKeyword() === 'FROM') stages.push([instruction]);
    else stages.at(-1)?.push(instruction);
  return { all, stages };
}

const labels = ['title', 'description', 'licenses', 'version', 'revision'].map(
  (name) => `org.opencontainers.image.${name}`,
);
const builders = /\b(npm|npx|apt-get|apt|curl|wget)\b/;

export const rules: readonly Rule[] = [
  {
    name: 'every stage begins with the base that a release pins, which has an exact version by default',
    complaints: ({ all, stages }) => [
      ...all
        .filter(is('ARG'))
        .filter((arg) => textOf(arg).startsWith('NODE_IMAGE'))
        .filter((arg) => !/^NODE_IMAGE=[a-z0-9./-]+:\d+\.\d+\.\d+-[a-z-]+(@sha256:[0-9a-f]{64})?$/.test(textOf(arg)))
        .map((arg) => at(arg, `${textOf(arg)} is not an image of an exact version`)),
      ...stages.flatMap(([from]) =>
        from === undefined || /^\$\{NODE_IMAGE\}( AS \w+)?$/i.test(textOf(from))
          ? []
          : [at(from, `begins with ${textOf(from)} instead of \${NODE_IMAGE}`)],
      ),
    ],
  },
  {
    name: 'packages are those of the lock file, for production, without scripts',
    complaints: (file) => {
      const installs = file.all.filter(is('RUN')).filter((run) => /\bnpm\b/.test(textOf(run)));
      if (installs.length !== 1) return [{ line: endOf(file), what: 'installs packages once, with npm ci' }];
      return installs.flatMap((run) =>
        ['npm ci', '--omit=dev', '--omit=optional', '--ignore-scripts']
          .filter((part) => !textOf(run).includes(part))
          .map((part) => at(run, `lacks ${part}`)),
      );
    },
  },
  {
    name: 'the last stage only copies: what builds stays behind',
    complaints: (file) =>
      file.stages.length < 2
        ? [{ line: endOf(file), what: 'has one stage, so that what builds is in the image' }]
        : lastStage(file)
            .filter(is('RUN'))
            .filter((run) => builders.test(textOf(run)))
            .map((run) => at(run, `builds in the last stage: ${textOf(run)}`)),
  },
  {
    name: 'nothing is copied by the folder as a whole, or fetched',
    complaints: ({ all }) => [
      ...all.filter(is('ADD')).map((add) => at(add, 'fetches or unpacks: COPY what the build has')),
      ...all.filter(is('COPY')).flatMap((copy) => {
        const [source] = copy.getArguments().filter((argument) => !argument.getValue().startsWith('--'));
        return source?.getValue() === '.' ? [at(copy, 'copies whatever lies in the folder')] : [];
      }),
    ],
  },
  {
    name: 'the process runs as a user by number who is not root',
    complaints: (file) => {
      const user = lastOf(lastStage(file), 'USER');
      if (user === undefined) return [{ line: endOf(file), what: 'has no USER, so it runs as root' }];
      return /^[1-9]\d*:[1-9]\d*$/.test(textOf(user))
        ? []
        : [at(user, `USER ${textOf(user)}: give two numbers above 0`)];
    },
  },
  {
    name: 'the process is started without a shell, which would keep signals to itself',
    complaints: (file) => {
      const commands = lastStage(file).filter(is('CMD', 'ENTRYPOINT'));
      if (commands.length === 0) return [{ line: endOf(file), what: 'says not what to run' }];
      return commands
        .filter((command) => !textOf(command).startsWith('['))
        .map((command) => at(command, `${command.getKeyword()} goes through a shell`));
    },
  },
  {
    name: 'it can be asked whether it is well, also without a shell',
    complaints: (file) => {
      const check = lastOf(lastStage(file), 'HEALTHCHECK');
      if (check === undefined) return [{ line: endOf(file), what: 'has no HEALTHCHECK' }];
      return /\bCMD\s+\[/.test(textOf(check)) ? [] : [at(check, 'HEALTHCHECK goes through a shell')];
    },
  },
  {
    name: 'it says what it is',
    complaints: (file) => {
      const given = lastStage(file).filter(is('LABEL')).map(textOf).join(' ');
      return labels
        .filter((label) => !given.includes(`${label}=`))
        .map((label) => ({ line: endOf(file), what: `has no label ${label}` }));
    },
  },
  {
    name: 'no secret is in it',
    complaints: ({ all }) =>
      all
        .filter(is('ARG', 'ENV'))
        .filter((setting) => /(SECRET|TOKEN|PASSWORD|PRIVATE|CREDENTIAL|_KEYS?)\w*(\s|=|$)/i.test(textOf(setting)))
        .map((setting) =>
          at(setting, `${textOf(setting).split('=', 1)[0] ?? ''} would be in the image for all to read`),
        ),
  },
  {
    name: 'it builds with every builder: no frontend to pull, no heredoc, no linked copy',
    complaints: ({ all }) => [
      ...all
        .filter(is('COPY'))
        .filter((copy) => copy.toString().includes('--link'))
        .map((copy) => at(copy, 'COPY --link')),
      ...all.filter((each) => textOf(each).includes('<<')).map((each) => at(each, 'a heredoc')),
    ],
  },
];

/** Everything wrong with a Dockerfile, each as `line: what`; empty when there is nothing. */
export function lintDockerfile(source: string): string[] {
  const file = parsed(source);
  if (file.stages.length === 0) return ['1: has no FROM'];
  const pulled = /^#\s*syntax=/im.test(source) ? ['1: # syntax= pulls a frontend'] : [];
  return [...pulled, ...rules.flatMap((rule) => rule.complaints(file).map(({ line, what }) => `${line}: ${what}`))];
}
