import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';

/**
 * What lies between a process and a server of its, and can be cut.
 *
 *   passing ◄──► refusing   connections are reset, new ones refused at once: the server is down
 *      ▲
 *      └───────► silent     nothing passes any more, connections stay open: the network is gone
 */
export interface Proxy extends AsyncDisposable {
  readonly port: number;
  pass(): void;
  refuse(): void;
  silence(): void;
}

export async function startProxy(targetPort: number): Promise<Proxy> {
  let state: 'passing' | 'refusing' | 'silent' = 'passing';
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (state === 'refusing') {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({ host: '127.0.0.1', port: targetPort });
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      // Not a pipe: what is silenced must neither pass nor end.
      socket.on('data', (chunk) => {
        if (state === 'passing') other.write(chunk);
      });
      socket.on('end', () => {
        if (state === 'passing') other.end();
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A TCP server's address is an object once it listens.
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    port,
    pass() {
      // What was cut off in the middle of a message cannot go on.
      if (state === 'silent') cut();
      state = 'passing';
    },
    refuse() {
      state = 'refusing';
      cut();
    },
    silence() {
      state = 'silent';
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
