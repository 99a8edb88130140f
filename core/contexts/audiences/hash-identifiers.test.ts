import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashIdentifiers } from './hash-identifiers.ts';

test('each network gets the hash of what its own rules make of an address', () => {
  assert.equal(hashIdentifiers({ email: '  Jo.Doe+news@GMail.com ' }), {
    key: 'ced437eeca408ec36226d018ef9b163a96a20de6e1b917e1a41f3df1ff72e455',
    byNetwork: {
      google_ads: { email: 'a57e48743464464f6f3f53288dace5ca7a453a35a62a8f37b7f552468b410a46' },
      meta: { email: 'ced437eeca408ec36226d018ef9b163a96a20de6e1b917e1a41f3df1ff72e455' },
      tiktok: { email: 'b366fb677b78d9ee1a992860cb906c85f08bbecba30dc31c30dbc34135f4d9bc' },
    },
  });
  // Elsewhere a dot and a tag are parts of the address to Google.
  assert.equal(hashIdentifiers({ email: 'jo+x@example.com' })?.byNetwork, {
    google_ads: { email: '1763388d8fc5f8d5e324d233e672e4c8c3cc1cd5c28ee8f887906c121ad76192' },
    meta: { email: '1763388d8fc5f8d5e324d233e672e4c8c3cc1cd5c28ee8f887906c121ad76192' },
    tiktok: { email: 'f4e19df2e6c609fbd59a42b9063d0fadf44260218531ea21ad8c575f205c0453' },
  });
});

test('a phone number is the same however it is written, with a plus for Google and TikTok and without for Meta', () => {
  for (const phone of ['+49 151 2345-6789', '0049 (151) 23456789', '+4915123456789'])
    assert.equal(hashIdentifiers({ phone }), {
      key: '663a4322addcdcc2be9435bfd2505066dc1048b89d33e48f363119f18bdd71e8',
      byNetwork: {
        google_ads: { phone: '663a4322addcdcc2be9435bfd2505066dc1048b89d33e48f363119f18bdd71e8' },
        meta: { phone: 'c0f8f0bebbbac96451ee8d8def84a02ae9e34c877775437cb9d458328315afa7' },
        tiktok: { phone: '663a4322addcdcc2be9435bfd2505066dc1048b89d33e48f363119f18bdd71e8' },
      },
    });
});

test('what names nobody is nobody, and one good identifier is enough', () => {
  for (const nobody of [{}, { email: 'jo' }, { email: 'jo@home' }, { phone: '0151 23456789' }, { phone: '+49' }])
    assert.is(hashIdentifiers(nobody), undefined);
  assert.equal(hashIdentifiers({ email: 'jo', phone: '+4915123456789' })?.byNetwork.meta, {
    phone: 'c0f8f0bebbbac96451ee8d8def84a02ae9e34c877775437cb9d458328315afa7',
  });
});

test.run();
