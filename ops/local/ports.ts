import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { freePort } from './free-port.ts';
import { writePrivateJson } from './private-file.ts';

/** The ports of the last run are taken again where they are free, so that addresses survive a restart. */
export interface Ports {
  pick(name: string, usual?: number): Promise<number>;
  /** For a port that was asked for: refuses to take another one. */
  claim: (flag: string, port: number) => Promise<number>;
}

export function openPorts(dataDir: string): Ports {
  const file = join(dataDir, 'ports.json');
  const known = readPorts(file);
  const taken = new Set<number>();
  const keep = (name: string, port: number): number => {
    taken.add(port);
    if (known[name] !== port) {
      known[name] = port;
      writePrivateJson(file, known);
    }
    return port;
  };
  return {
    async pick(name, usual) {
      for (const port of [usual, known[name]]) {
        if (port !== undefined && !taken.has(port) && (await isFree(port))) return keep(name, port);
      }
      for (;;) {
        const port = await freePort();
        if (!taken.has(port)) return keep(name, port);
      }
    },
    async claim(flag, port) {
      if (taken.has(port) || !(await isFree(port)))
        throw new Error(`port ${port} on 127.0.0.1 is in use: choose another one with ${flag}, or end what holds it`);
      taken.add(port);
      return port;
    },
  };
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}

function readPorts(file: string): Record<string, number> {
  if (!existsSync(file)) return {};
  const parsed = z.record(z.string(), z.int()).safeParse(JSON.parse(readFileSync(file, 'utf8')));
  return parsed.success ? parsed.data : {};
}
