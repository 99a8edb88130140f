import { Hono } from 'hono';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { silentLog } from '../core/runtime/log.ts';
import { requireLogin } from './login.ts';
import { createTestClock } from './testing/console.ts';

function setup() {
  const clock = createTestClock();
  const app = new Hono();
  app.use(
    requireLogin(
      { user: 'ops', password: 'correct horse' },
      { clock, log: silentLog, addressOf: (context) => context.req.header('x-test-address') ?? 'unknown' },
    ),
  );
  app.get('/', (context) => context.text('in'));
  const ask = async (login: string | undefined, address = '192.0.2.1'): Promise<number> => {
    const authorization = login === undefined ? {} : { authorization: `Basic ${btoa(login)}` };
    return (await app.request('/', { headers: { 'x-test-address': address, ...authorization } })).status;
  };
  return { app, clock, ask };
}

test('nobody enters without the right user and the right password', async () => {
  const { app, ask } = setup();
  assert.is(await ask(undefined), 401);
  assert.is(await ask('ops:wrong'), 401);
  assert.is(await ask('other:correct horse'), 401);
  assert.is(await ask('ops:'), 401);
  assert.is(await ask('ops:correct horse '), 401);
  assert.is(await ask('ops:correct horse'), 200);
  const challenge = (await app.request('/')).headers.get('www-authenticate');
  assert.is(challenge, 'Basic realm="Laneway console"');
});

test('ten wrong logins brake their address for a minute, the right password included', async () => {
  const { ask, clock } = setup();
  for (let attempt = 0; attempt < 10; attempt++) assert.is(await ask('ops:guess'), 401);
  assert.is(await ask('ops:guess'), 429);
  assert.is(await ask('ops:correct horse'), 429);
  clock.advance(59_999);
  assert.is(await ask('ops:correct horse'), 429);
  clock.advance(1);
  assert.is(await ask('ops:correct horse'), 200);
});

test('a braked address is told how long to wait', async () => {
  const { app, ask, clock } = setup();
  for (let attempt = 0; attempt < 10; attempt++) await ask('ops:guess');
  clock.advance(20_000);
  const response = await app.request('/', { headers: { 'x-test-address': '192.0.2.1' } });
  assert.is(response.status, 429);
  assert.is(response.headers.get('retry-after'), '40');
});

test('one address that guesses does not lock out another', async () => {
  const { ask } = setup();
  for (let attempt = 0; attempt < 12; attempt++) await ask('ops:guess', '192.0.2.1');
  assert.is(await ask('ops:correct horse', '192.0.2.2'), 200);
});

test('requests without credentials, as browsers first send them, do not count as failures', async () => {
  const { ask } = setup();
  for (let attempt = 0; attempt < 30; attempt++) assert.is(await ask(undefined), 401);
  assert.is(await ask('ops:correct horse'), 200);
});

test('a right login forgets the wrong ones before it', async () => {
  const { ask } = setup();
  for (let round = 0; round < 3; round++) {
    for (let attempt = 0; attempt < 9; attempt++) assert.is(await ask('ops:typo'), 401);
    assert.is(await ask('ops:correct horse'), 200);
  }
});

test('guessing from very many addresses does not fill the memory: the oldest failures are forgotten', async () => {
  const { ask } = setup();
  for (let attempt = 0; attempt < 10; attempt++) await ask('ops:guess', 'first');
  assert.is(await ask('ops:guess', 'first'), 429);
  for (let index = 0; index < 10_000; index++) await ask('ops:guess', `address-${index}`);
  assert.is(await ask('ops:guess', 'first'), 401);
});

test.run();
