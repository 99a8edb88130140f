import { freePort } from '../local/free-port.ts';
import { createEmulator } from '../local/emulator/app.ts';
import { createClock } from '../local/emulator/clock.ts';

/** `away` resets connections, the others answer every call with what SQS says when it has too much to do, or a fault. */
export type EmulatorMode = 'well' | 'away' | 'throttling' | 'failing';

export interface DisturbedEmulator extends AsyncDisposable {
  readonly endpoint: string;
  setMode(mode: EmulatorMode): void;
}

/** SQS, SNS and S3 in this process, on a port of its own: queue URLs name the server, which a proxy cannot stand in for. */
export async function startDisturbedEmulator(): Promise<DisturbedEmulator> {
  let mode: EmulatorMode = 'well';
  const { app } = await createEmulator(createClock());
  app.addHook('onRequest', async (request, reply): Promise<void> => {
    switch (mode) {
      case 'well':
        return;
      case 'away':
        request.raw.socket.destroy();
        return;
      case 'throttling':
        await reply
          .code(400)
          .send({ __type: 'com.amazon.coral.service#ThrottlingException', message: 'Rate exceeded' });
        return;
      case 'failing':
        await reply.code(500).send({ __type: 'com.amazonaws.sqs#InternalFailure', message: 'try again' });
        return;
      default:
        mode satisfies never;
    }
  });
  const port = await freePort();
  await app.listen({ host: '127.0.0.1', port });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    setMode(next) {
      mode = next;
      // Receives that are open would still be answered.
      if (next !== 'well') app.server.closeAllConnections();
    },
    async [Symbol.asyncDispose]() {
      app.server.closeAllConnections();
      await app.close();
    },
  };
}
