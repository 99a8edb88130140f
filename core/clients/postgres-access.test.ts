import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectionOptions, postgresAccess } from './postgres-access.ts';

const url = 'postgres://laneway_worker@db.example.com:6432/laneway';

test('a URL alone is handed on as it is', () => {
  assert.equal(connectionOptions(url), { connectionString: url });
});

test('a password that comes beside the URL wins, and authorities make TLS a condition', () => {
  assert.equal(connectionOptions(url, { password: 'p', ca: 'PEM' }), {
    host: 'db.example.com',
    port: 6432,
    user: 'laneway_worker',
    database: 'laneway',
    password: 'p',
    ssl: { rejectUnauthorized: true, ca: 'PEM' },
  });
});

test('with IAM each connection signs in with a token of its own, over TLS', async () => {
  const before = { ...process.env };
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AKIAEXAMPLE', AWS_SECRET_ACCESS_KEY: 'example' });
  try {
    const access = postgresAccess({
      postgresIam: true,
      awsRegion: 'eu-central-1',
      postgresPassword: undefined,
      postgresCa: undefined,
    });
    const options = connectionOptions(url, access);
    assert.equal(options.ssl, { rejectUnauthorized: true });
    assert.type(options.password, 'function');
    const token = typeof options.password === 'function' ? await options.password() : '';
    assert.match(token, 'db.example.com:6432/?Action=connect&DBUser=laneway_worker');
    assert.match(token, 'X-Amz-Expires=900');
  } finally {
    process.env = before;
  }
});

test.run();
