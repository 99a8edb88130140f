import { once } from 'node:events';
import { type IncomingMessage, createServer, request as send } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { actionOf, signerOf } from './action-of.ts';

export interface Recorder {
  /** Where to send what should go to the server. */
  url: string;
  stop(): Promise<void>;
}

/** Stands before a server, passes everything on, and tells who asked it for what. */
export async function recordRequests(
  target: string,
  tell: (accessKeyId: string, action: string) => void,
): Promise<Recorder> {
  const server = createServer((incoming, outgoing) => {
    const pass = async (): Promise<void> => {
      const body = await buffer(incoming);
      const { method = 'GET', url = '/', headers } = incoming;
      // What is not signed is no call to AWS: the fakes of networks are asked through the same address.
      if (headers.authorization?.startsWith('AWS4-') === true) {
        const asked = { method, url, headers, body: body.toString('utf8') };
        tell(signerOf(asked).accessKeyId, actionOf(asked));
      }
      const onward = send(new URL(url, target), { method, headers });
      outgoing.on('close', () => onward.destroy());
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        onward.on('response', resolve).on('error', reject).end(body);
      });
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    };
    pass().catch(() => outgoing.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
