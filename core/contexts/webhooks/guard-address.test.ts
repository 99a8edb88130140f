import { createServer } from 'node:net';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkedAddress, isPublic, parseEndpointUrl } from './guard-address.ts';
import { postWebhook } from './post.ts';

const strict = { allowLoopback: false };

test('private, loopback, link-local, metadata and reserved addresses are not public, however they are written', () => {
  const refused = [
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
    ...['192.0.0.1', '192.168.1.1', '198.18.0.1', '203.0.113.9', '224.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:10.0.0.1', '::ffff:8.8.8.8', '64:ff9b::a00:1', 'fc00::1', 'fd00:ec2::254', 'fe80::1'],
    ...['fec0::1', 'ff02::1', '2001:db8::1', '2002:a00:1::', '2001::1', 'not an address'],
  ];
  assert.equal(refused.filter(isPublic), []);
  assert.equal(['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'].filter(isPublic).length, 5);
});

test('an endpoint is a public HTTPS address; loopback only where it is allowed', () => {
  const reasonFor = (url: string, rules = strict) => {
    try {
      return parseEndpointUrl(url, rules).href;
    } catch (error) {
      return error instanceof Error ? error.message : '';
    }
  };
  assert.equal(
    [
      'https://hooks.example/in?a=1',
      'http://hooks.example/',
      'https://user:secret@hooks.example/',
      'https://127.0.0.1/',
      'https://localhost:8443/',
      'https://2130706433/',
      'https://0x7f.1/',
      'https://[::1]/',
      'https://[::ffff:169.254.169.254]/',
      'https://10.0.0.7/',
      'https://hooks.example:22/',
      'ftp://hooks.example/',
      'hooks.example',
    ].map((url) => reasonFor(url)),
    [
      'https://hooks.example/in?a=1',
      'must begin with https://',
      'must not carry credentials',
      'names this machine itself',
      'names this machine itself',
      'names this machine itself',
      'names this machine itself',
      'names this machine itself',
      'names an address that is not public',
      'names an address that is not public',
      'must use port 443 or one from 1024 on, not 22',
      'must begin with https://',
      'is not a URL',
    ],
  );
  assert.is(reasonFor('http://127.0.0.1:9000/x', { allowLoopback: true }), 'http://127.0.0.1:9000/x');
  assert.is(reasonFor('http://10.0.0.7/', { allowLoopback: true }), 'must begin with https://');
});

test('a name is refused when any of its addresses is private', async () => {
  const resolve = () => Promise.resolve(['93.184.216.34', '10.0.0.1']);
  const thrown = await checkedAddress(new URL('https://hooks.example/'), strict, resolve).catch((e: unknown) => e);
  assert.match(String(thrown), 'hooks.example stands for 10.0.0.1');
});

test('the connection goes to the address that was checked: a name that changes meanwhile is not asked again', async () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const answers = [['127.0.0.1'], ['169.254.169.254']];
  let asked = 0;
  const resolve = () => Promise.resolve(answers[asked++] ?? []);
  const call = { url: `https://rebinding.example:${port}/`, headers: {}, body: '{}' };
  const context = { resolve, signal: AbortSignal.timeout(5_000), nowMs: 0 };
  try {
    // The name exists nowhere, so that a connection can only come from the answer that was checked.
    await postWebhook(call, { ...context, rules: { allowLoopback: true } }).catch(() => undefined);
    assert.equal([asked, connections], [1, 1]);
    const thrown = await postWebhook(call, { ...context, rules: { allowLoopback: true } }).catch((e: unknown) => e);
    assert.match(String(thrown), '169.254.169.254, which is not a public address');
    assert.is(connections, 1);
  } finally {
    server.close();
  }
});

test.run();
