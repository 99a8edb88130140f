import { once } from 'node:events';
import { type AddressInfo, type Socket, createConnection, createServer } from 'node:net';

/**
 * What a proxy does with what passes through it:
 * pass      as it comes
 * refuse    every connection is reset, new ones too
 * hang      connections stay open and take data, and nothing arrives until the mode changes
 * slow      each piece arrives `delayMs` later, in order
 * throttle  at most `bytesPerSecond` of each connection and direction
 */
export type ProxyMode =
  | { kind: 'pass' }
  | { kind: 'refuse' }
  | { kind: 'hang' }
  | { kind: 'slow'; delayMs: number }
  | { kind: 'throttle'; bytesPerSecond: number };

/** What lies between a process and a server of its, and can be disturbed. */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  setMode(mode: ProxyMode): void;
  /** Resets every connection that is open. Returns how many there were. */
  cut(): number;
}

/** Stands on a loopback port of its own before another one. */
export async function startProxy(targetPort: number): Promise<Proxy> {
  let mode: ProxyMode = { kind: 'pass' };
  let changed = Promise.withResolvers<void>();
  const open = new Set<Socket>();
  const current = (): ProxyMode => mode;

  /** Resolves when the piece may go on. */
  const admit = async (bytes: number): Promise<void> => {
    for (;;) {
      const now = current();
      switch (now.kind) {
        case 'pass':
        case 'refuse':
          return;
        case 'hang':
          await changed.promise;
          continue;
        case 'slow':
          return await pause(now.delayMs);
        case 'throttle':
          return await pause((bytes / now.bytesPerSecond) * 1_000);
        default:
          now satisfies never;
      }
    }
  };
  const pause = async (ms: number): Promise<void> => {
    const timer = Promise.withResolvers<void>();
    const handle = setTimeout(timer.resolve, ms);
    await Promise.race([timer.promise, changed.promise]);
    clearTimeout(handle);
  };

  const pump = async (from: Socket, to: Socket): Promise<void> => {
    for await (const piece of from) {
      // Sockets without an encoding yield buffers.
      const bytes = piece as Buffer;
      await admit(bytes.length);
      if (to.destroyed) return;
      if (!to.write(bytes)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
    }
    to.end();
  };

  const server = createServer((client) => {
    if (current().kind === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const target = createConnection({ host: '127.0.0.1', port: targetPort });
    for (const [socket, other] of [
      [client, target],
      [target, client],
    ] as const) {
      open.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      pump(socket, other).catch(() => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): number => {
    const connections = open.size / 2;
    for (const socket of [...open]) socket.resetAndDestroy();
    return connections;
  };
  return {
    // A server that listens on TCP has an address of this shape.
    port: (server.address() as AddressInfo).port,
    setMode(next) {
      mode = next;
      if (next.kind === 'refuse') cut();
      changed.resolve();
      changed = Promise.withResolvers<void>();
    },
    cut,
    async [Symbol.asyncDispose]() {
      // What hangs would go on waiting, for something that has happened.
      mode = { kind: 'pass' };
      server.close();
      changed.resolve();
      cut();
      await once(server, 'close');
    },
  };
}
