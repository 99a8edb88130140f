import type { SystemPackage } from '../supply-chain/bill-of-materials.ts';
import { startContainer } from './container.ts';

const DEADLINE_MS = 60_000;

/** What Debian's package manager says is in an image. */
export async function readSystemPackages(image: string): Promise<SystemPackage[]> {
  await using container = await startContainer(image, {}, ['dpkg-query', '--show']);
  const { code, log } = await container.ended(DEADLINE_MS);
  if (code !== 0) throw new Error(`the packages of ${image} could not be listed:\n${log}`);
  return log
    .split('\n')
    .map((line) => line.split('\t'))
    .flatMap(([name = '', version = '']) => (version === '' ? [] : [{ name, version }]));
}
