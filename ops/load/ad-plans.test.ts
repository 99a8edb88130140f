import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planAds } from './ad-plans.ts';
import { merchantName } from './merchant-names.ts';

const merchants = Array.from({ length: 60 }, (_, n) => merchantName(n));
const plans = planAds(merchants, { seed: 3, events: 3_000 });

test('the same seed gives the same plans, another seed other ones', () => {
  assert.equal(planAds(merchants, { seed: 3, events: 3_000 }), plans);
  assert.not.equal(planAds(merchants, { seed: 4, events: 3_000 }), plans);
});

test('a few shops advertise with ad sets and ads on all three networks, and some are changed, paused and ended afterwards', () => {
  assert.is(plans.length, 12);
  assert.is(new Set(plans.map(({ merchantId }) => merchantId)).size, 12);
  assert.is(planAds(merchants.slice(0, 2), { seed: 3, events: 10 }).length, 2);
  assert.is(planAds(merchants, { seed: 3, events: 1_000_000 }).length, 12);
  const steps = plans.flatMap((plan) => plan.steps);
  const settings = (kind: string) =>
    new Set(steps.flatMap((step) => (step.do === 'make' && step.kind === kind ? Object.keys(step.settings) : [])));
  for (const kind of ['ad_set', 'ad']) assert.equal([...settings(kind)].toSorted(), ['google_ads', 'meta', 'tiktok']);
  const later = plans.flatMap((plan) => plan.steps.slice(plan.steps.findIndex((step) => step.do === 'look')));
  const changed = later.flatMap((step) => (step.do === 'change' ? Object.keys(step.settings ?? {}) : []));
  assert.equal([...new Set(changed)].toSorted(), ['google_ads', 'meta', 'tiktok']);
  const states = new Set(later.flatMap((step) => (step.do === 'state' ? step.state : [])));
  assert.equal([...states].toSorted(), ['active', 'ended', 'paused']);
});

test('an ad comes after its ad set, and what it is made on is what its ad set is made on', () => {
  for (const { networks, steps } of plans) {
    const sets = new Set<string>();
    for (const step of steps) {
      if (step.do !== 'make') continue;
      assert.equal(Object.keys(step.settings).toSorted(), [...networks].toSorted());
      if (step.kind === 'ad_set') sets.add(step.key);
      else assert.ok(sets.has(step.adSet ?? ''), `${step.key} before ${step.adSet}`);
    }
  }
});

test.run();
