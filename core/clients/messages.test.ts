// test-stack
import { PublishCommand } from '@aws-sdk/client-sns';
import { SendEmailCommand } from '@aws-sdk/client-sesv2';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectSES } from './ses.ts';
import { connectSmsSNS } from './sns.ts';

/** Closes a connection on which a second request comes, as a server does whose patience with it has just ended. */
async function startImpatientServer() {
  const seen = new Set<Socket>();
  const server = createServer((request, response) => {
    if (seen.has(request.socket)) {
      request.socket.destroy();
      return;
    }
    seen.add(request.socket);
    const isSms = request.url?.startsWith('/sms') === true;
    response.setHeader('content-type', isSms ? 'text/xml' : 'application/json');
    response.end(
      isSms
        ? '<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>'
        : '{"MessageId":"1"}',
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

test('a message that must not be sent twice is not sent on a connection that may be closed under it', async () => {
  await using server = await startImpatientServer();
  const sms = connectSmsSNS(`${server.url}/sms`);
  const email = connectSES(server.url);
  for (let n = 0; n < 3; n++) {
    const text = await sms.send(new PublishCommand({ PhoneNumber: '+491701234567', Message: 'hello' }));
    assert.is(text.MessageId, '1');
    const mail = await email.send(
      new SendEmailCommand({
        FromEmailAddress: 'a@example.com',
        Destination: { ToAddresses: ['b@example.com'] },
        Content: { Simple: { Subject: { Data: 'hello' }, Body: { Text: { Data: 'hello' } } } },
      }),
    );
    assert.is(mail.MessageId, '1');
  }
  sms.destroy();
  email.destroy();
});

test.run();
