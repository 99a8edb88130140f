import { parseArgs } from 'node:util';
import { InvalidArgument, readArguments } from '../arguments.ts';

export type MustFailOptions =
  { kind: 'run'; hazards: readonly string[]; json: boolean } | { kind: 'help' } | { kind: 'invalid'; message: string };

export const usage = `usage: npm run must-fail -- [hazard…] [--json]

  Takes the answers of docs/hazards.md away, one at a time, in a copy of the project, and runs the tests that are to fail of it.
  Exit code 0 only if each of them does.

  hazard   as in H1 H32 (default: all)
  --json   nothing but JSON on standard output
  --help   this text
`;

/** @param known the hazards that have something to take away, and those that have a reason why not */
export const parseOptions = (args: readonly string[], known: ReadonlySet<string>): MustFailOptions =>
  readArguments(() => {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
      allowPositionals: true,
    });
    if (values.help) return { kind: 'help' };
    for (const hazard of positionals)
      if (!known.has(hazard)) throw new InvalidArgument(`there is no hazard "${hazard}" in docs/hazards.md`);
    return { kind: 'run', hazards: positionals, json: values.json };
  });
