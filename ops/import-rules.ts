import { globSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';
import { stripComments, stripCommentsAndStrings } from './strip-comments.ts';

/**
 * Who may import whom, and who may touch the environment, the clock and the SDK clients. Reads source text only: it
 * resolves relative specifiers by path and never loads a module.
 */
export interface Violation {
  /** relative to the root, with forward slashes */
  file: string;
  line: number;
  rule: string;
  found: string;
  reason: string;
}

interface Source {
  file: string;
  /** top folder: core, workers, gateway, dashboards or ops */
  area: string;
  isTest: boolean;
  imports: Import[];
  /** no comments, no string contents */
  code: string;
}

interface Import {
  specifier: string;
  /** the imported file relative to the root; undefined for packages and built-in modules */
  target: string | undefined;
  clause: string;
  /** `import('…')` */
  dynamic: boolean;
  index: number;
}

interface Rule {
  name: string;
  reason: string;
  check: (source: Source) => Finding[];
}

interface Finding {
  index: number;
  found: string;
}

const areas = ['core', 'workers', 'gateway', 'dashboards', 'ops'];
const processes = ['workers', 'gateway', 'dashboards'];

const rules: Rule[] = [
  {
    name: 'core-imports-no-process',
    reason:
      'core is what every process shares: what it imports from one of them would load that process into all others',
    check: (source) =>
      source.area === 'core' ? importsWhere(source, (target) => processes.includes(areaOf(target))) : [],
  },
  {
    name: 'processes-do-not-import-each-other',
    reason: 'workers, gateway and dashboards are deployed on their own: what two of them need lives in core',
    check: (source) =>
      processes.includes(source.area)
        ? importsWhere(source, (target) => processes.includes(areaOf(target)) && areaOf(target) !== source.area)
        : [],
  },
  {
    name: 'nothing-imports-ops',
    reason:
      'ops is left out of the production images; only tests may reach for ops/local and ops/testing-stack, to have servers to run against',
    check: (source) =>
      source.area === 'ops'
        ? []
        : importsWhere(
            source,
            (target) =>
              areaOf(target) === 'ops' &&
              !(source.file.endsWith('.test.ts') && /^ops\/(local\/|testing-stack)/.test(target)),
          ),
  },
  {
    name: 'contexts-meet-at-events-and-reads',
    reason:
      "a context reads another one through its events.ts and reads.ts and changes it by sending it an event: with each other's tables and writes at hand, the order that lanes give would be lost",
    check: (source) => {
      const own = contextOf(source.file);
      if (own === undefined) return [];
      return importsWhere(source, (target, { dynamic }) => {
        const other = contextOf(target);
        if (other === undefined || other === own) return false;
        // an event's definition names its handlers, wherever they live, by an import that only the workers resolve
        if (dynamic && source.file.endsWith('/events.ts')) return /\/(tables|writes)\.ts$/.test(target);
        return !/^core\/contexts\/[^/]+\/(events|reads)\.ts$/.test(target);
      });
    },
  },
  {
    name: 'environment-only-in-config',
    reason:
      'settings are read and validated once, at start, in core/runtime/config.ts; everything else gets parameters',
    check: (source) =>
      // world.ts is where a test process learns from the runner which servers to use
      source.area === 'ops' || ['core/runtime/config.ts', 'core/testing/world.ts'].includes(source.file)
        ? []
        : [
            ...matches(
              source.code,
              /\bprocess\s*\??\s*\.\s*env\b|\bprocess\s*(\?\.)?\s*\[|\benv\b[^;=]*\}\s*=\s*process\b/g,
            ),
            ...source.imports
              .filter(({ specifier, clause }) => /^(node:)?process$/.test(specifier) && /\benv\b/.test(clause))
              .map(({ index, specifier }) => ({ index, found: `env from '${specifier}'` })),
          ],
  },
  {
    name: 'time-only-from-the-clock',
    reason: 'tests inject the clock of core/runtime/clock.ts; time read past it cannot be moved by them',
    check: (source) =>
      source.area === 'ops' || source.isTest || source.file === 'core/runtime/clock.ts'
        ? []
        : matches(
            source.code,
            /\bDate\s*\.\s*now\b|\bnew\s+Date\s*\(\s*\)|\bnew\s+Date\b(?!\s*\()|(?<!new\s+|\w|\.)Date\s*\(\s*\)/g,
          ),
  },
  {
    name: 'clients-only-in-core-clients',
    reason:
      'core/clients sets endpoints, timeouts, retries and tracing for every connection; a client made elsewhere has none of them',
    check: (source) => {
      if (source.area === 'ops' || source.isTest || source.file.startsWith('core/clients/')) return [];
      return source.imports.flatMap((imported) => clientConstructions(source.code, imported));
    },
  },
];

/** All violations below `root`, ordered by file and line. */
export function checkImports(root: string): Violation[] {
  return areas
    .flatMap((area) => globSync(`${area}/**/*.ts`, { cwd: root, exclude: isForeign }))
    .map((path) => path.split(sep).join('/'))
    .toSorted()
    .flatMap((file) => checkFile(file, readFileSync(join(root, file), 'utf8')));
}

function isForeign(path: string): boolean {
  return path.endsWith('node_modules') || path.endsWith('.laneway');
}

function checkFile(file: string, text: string): Violation[] {
  const source: Source = {
    file,
    area: areaOf(file),
    // core/testing is what test files share, and runs nowhere else
    isTest: file.endsWith('.test.ts') || file.startsWith('core/testing/'),
    imports: importsOf(file, stripComments(text)),
    code: stripCommentsAndStrings(text),
  };
  return rules
    .flatMap(({ name, reason, check }) =>
      check(source).map(({ index, found }) => ({ file, line: lineAt(text, index), rule: name, found, reason })),
    )
    .toSorted((a, b) => a.line - b.line);
}

function importsOf(file: string, text: string): Import[] {
  const declared = /\b(?:import|export)\s+(?:([\w$*{}\s,]+?)\s*from\s*)?(['"])([^'"\n]+)\2/g;
  const dynamic = /\bimport\s*()\(\s*(['"`])([^'"`\n]+)\2/g;
  const toImport = (match: RegExpExecArray, isDynamic: boolean): Import => {
    const specifier = match[3] ?? '';
    return {
      specifier,
      target: specifier.startsWith('.') ? posix.join(dirname(file), specifier) : undefined,
      clause: match[1] ?? '',
      dynamic: isDynamic,
      index: match.index,
    };
  };
  return [
    ...[...text.matchAll(declared)].map((match) => toImport(match, false)),
    ...[...text.matchAll(dynamic)].map((match) => toImport(match, true)),
  ];
}

/** Names that an import binds to a class whose instances hold connections, and where `new` is called on them. */
function clientConstructions(code: string, { specifier, clause }: Import): Finding[] {
  const names = clause.replace(/[{}]/g, ' ').split(',');
  const locals = names.flatMap((name) => {
    const [, imported, local] = /^\s*(?:type\s+)?(\*|[\w$]+)(?:\s+as\s+([\w$]+))?\s*$/.exec(name) ?? [];
    if (imported === undefined) return [];
    return [{ imported, local: local ?? imported }];
  });
  return locals.flatMap(({ imported, local }) => {
    const member = clientMember(specifier, imported);
    return member === undefined
      ? []
      : matches(code, new RegExp(`\\bnew\\s+${local.replace('$', '\\$')}${member}`, 'g'));
  });
}

/** What follows the imported name where a client is made; undefined for names that make none. */
function clientMember(specifier: string, imported: string): string | undefined {
  if (specifier.startsWith('@aws-sdk/')) {
    if (imported === '*') return '\\s*\\.\\s*(\\w+Client|SQS|SNS|S3|SES|SESv2|DynamoDB)\\b';
    return /Client$|^(SQS|SNS|S3|SES|SESv2|DynamoDB)$/.test(imported) ? '\\b' : undefined;
  }
  if (specifier === 'ioredis') return '(\\s*\\.\\s*(Redis|Cluster))?\\b';
  if (specifier === 'pg') return /^(Pool|Client)$/.test(imported) ? '\\b' : '\\s*\\.\\s*(Pool|Client)\\b';
  return undefined;
}

function importsWhere(source: Source, forbidden: (target: string, imported: Import) => boolean): Finding[] {
  return source.imports
    .filter((imported) => imported.target !== undefined && forbidden(imported.target, imported))
    .map(({ index, specifier }) => ({ index, found: `import of '${specifier}'` }));
}

function matches(code: string, pattern: RegExp): Finding[] {
  return [...code.matchAll(pattern)].map((match) => ({ index: match.index, found: match[0].replace(/\s+/g, ' ') }));
}

function areaOf(path: string): string {
  return path.split('/')[0] ?? '';
}

function contextOf(path: string): string | undefined {
  return /^core\/contexts\/([^/]+)\//.exec(path)?.[1];
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
