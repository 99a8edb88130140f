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
  const credentials = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'example' };
  const options = connectionOptions(url, { iam: { region: 'eu-central-1', credentials } });
  assert.equal(options.ssl, { rejectUnauthorized: true });
  const token = typeof options.password === 'function' ? await options.password() : '';
  assert.match(token, 'db.example.com:6432/?Action=connect&DBUser=laneway_worker');
  assert.match(token, 'X-Amz-Expires=900');
});

test('settings say how to sign in, and none of them is needed', () => {
  const none = { postgresPassword: undefined, postgresIam: false, postgresCa: undefined, awsRegion: 'eu-central-1' };
  assert.equal(postgresAccess(none), {});
  assert.equal(postgresAccess({ ...none, postgresIam: true }), { iam: { region: 'eu-central-1' } });
});

test.run();
