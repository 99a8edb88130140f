import { Webhook } from 'standardwebhooks';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { firstSecret, rotateSecrets, signedHeaders } from './sign.ts';

const message = { id: 'msg_1', body: '{"type":"campaign.activated","data":{"name":"Grüße"}}' };

test('a known message has the signature that the specification gives it', () => {
  const secrets = [{ secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', expiresAt: null }];
  const headers = signedHeaders(
    { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', body: '{"test": 2432232314}' },
    secrets,
    1_614_265_330_000,
  );
  assert.equal(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
});

test('after a rotation both secrets verify for a day, then only the new one', () => {
  const now = Date.now();
  const old = firstSecret();
  const both = rotateSecrets(old, now);
  const [fresh, former] = both.map(({ secret }) => secret);
  assert.is(former, old[0]?.secret);
  const verifies = (secret: string | undefined, headers: Record<string, string>) => {
    try {
      new Webhook(secret ?? '').verify(message.body, headers);
      return true;
    } catch {
      return false;
    }
  };
  const during = signedHeaders(message, both, now);
  assert.equal([verifies(fresh, during), verifies(former, during)], [true, true]);
  const after = signedHeaders(message, both, now + 25 * 3_600_000);
  assert.is(after['webhook-signature']?.split(' ').length, 1);
  assert.is(verifies(fresh, { ...after, 'webhook-timestamp': during['webhook-timestamp'] ?? '' }), false);
  assert.is(rotateSecrets(rotateSecrets(rotateSecrets(both, now), now), now).length, 3);
});

test.run();
