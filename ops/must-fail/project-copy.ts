import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { projectRoot } from '../local/data-folder.ts';

/** The project in a folder of its own, whose files are changed and put back. Gone when it is disposed of. */
export interface ProjectCopy extends Disposable {
  readonly root: string;
  /** Changes a file until what is returned is disposed of. */
  change(file: string, edit: (source: string) => string): Disposable;
}

/** Its folder says in a file `owner` which process it belongs to. */
export const copyPrefix = 'laneway-must-fail-';

/** What is not of the project: packages, data of runs, history, settings of a person. */
const left = new Set(['node_modules', '.laneway', '.git', '.env']);

export function copyProject(): ProjectCopy {
  const dir = mkdtempSync(join(tmpdir(), copyPrefix));
  const root = join(dir, 'project');
  const remove = () => rmSync(dir, { recursive: true, force: true });
  try {
    writeFileSync(join(dir, 'owner'), String(process.pid));
    // Made 0700, which the user that PostgreSQL runs as could not enter.
    chmodSync(dir, 0o755);
    const isOfProject = (path: string) => path === projectRoot || !left.has(basename(path));
    cpSync(projectRoot, root, { recursive: true, filter: isOfProject });
    symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'));
    mkdirSync(join(root, '.laneway'));
    // Names the Redis server that was unpacked for this checkout.
    const tools = join('.laneway', 'tools.json');
    if (existsSync(join(projectRoot, tools))) cpSync(join(projectRoot, tools), join(root, tools));
  } catch (error) {
    remove();
    throw error;
  }
  return {
    root,
    change(file, edit) {
      const path = join(root, file);
      const source = readFileSync(path, 'utf8');
      writeFileSync(path, edit(source));
      return { [Symbol.dispose]: () => writeFileSync(path, source) };
    },
    [Symbol.dispose]: remove,
  };
}
