import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { googleMask } from './google-mask.ts';

test('a mask names fields as the protocol buffers do, those of a message one by one, and lists as a whole', () => {
  const update = {
    resourceName: 'customers/1/ads/2',
    finalUrls: ['https://shop.example/'],
    responsiveSearchAd: { headlines: [{ text: 'A' }], path1: null },
    targetRoas: 2.5,
    manualCpc: {},
  };
  const mask = 'final_urls,responsive_search_ad.headlines,responsive_search_ad.path1,target_roas,manual_cpc';
  assert.is(googleMask(update), mask);
});

test.run();
