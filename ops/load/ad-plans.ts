import { type AdNetworkId, adNetworkIds } from '../../core/contexts/campaigns/events.ts';
import { type Random, createRandom } from './random.ts';

type Settings = Partial<Record<AdNetworkId, Record<string, unknown>>>;
type Kind = 'ad_set' | 'ad';

/** What a merchant does with one campaign of its own, in this order. `key` names an ad set or ad within the plan. */
export type AdStep =
  | {
      do: 'make';
      kind: Kind;
      key: string;
      adSet?: string;
      name: string;
      state: 'active' | 'paused';
      settings: Settings;
    }
  | { do: 'change'; key: string; name?: string; settings?: Settings }
  | { do: 'state'; key: string; state: 'active' | 'paused' | 'ended' }
  /** Looks at its ads until the networks have followed, before it goes on. */
  | { do: 'look' };

export interface AdPlan {
  readonly merchantId: string;
  readonly networks: readonly AdNetworkId[];
  readonly dailyBudgetMinor: number;
  readonly steps: readonly AdStep[];
}

const eventsPerShop = 250;
const fewestShops = 3;
const mostShops = 12;

/** What each network is told first, and what a merchant changes of it later. */
const words: Readonly<Record<AdNetworkId, Record<Kind, Record<'first' | 'later', (random: Random) => object>>>> = {
  google_ads: {
    ad_set: {
      first: (random) => ({ cpcBidMicros: String(10_000 * (1 + random.below(50))) }),
      later: (random) => ({ cpcBidMicros: String(10_000 * (60 + random.below(50))) }),
    },
    ad: {
      first: (random) => ({
        finalUrls: [`https://shop.example/${random.below(100)}`],
        responsiveSearchAd: {
          headlines: ['Made to last', 'Sent today', 'Try it at home'].map((text) => ({ text })),
          descriptions: ['Free returns for thirty days.', 'Two years of warranty.'].map((text) => ({ text })),
        },
      }),
      later: (random) => ({ finalUrls: [`https://shop.example/new/${random.below(100)}`] }),
    },
  },
  meta: {
    ad_set: {
      first: () => ({
        targeting: { geo_locations: { countries: ['DE'] }, age_min: 18 },
        billing_event: 'IMPRESSIONS',
        optimization_goal: 'LINK_CLICKS',
      }),
      later: (random) => ({
        targeting: { geo_locations: { countries: ['DE', 'AT'] }, age_min: 21 },
        bid_amount: 100 + random.below(400),
      }),
    },
    ad: {
      first: (random) => ({ creative: { creative_id: String(120_000_000 + random.below(1_000)) } }),
      later: (random) => ({ creative: { creative_id: String(130_000_000 + random.below(1_000)) } }),
    },
  },
  tiktok: {
    ad_set: {
      first: (random) => ({
        promotion_type: 'WEBSITE',
        placement_type: 'PLACEMENT_TYPE_AUTOMATIC',
        location_ids: ['2921044'],
        budget_mode: 'BUDGET_MODE_DAY',
        budget: 20 + random.below(30),
        schedule_type: 'SCHEDULE_FROM_NOW',
        billing_event: 'CPC',
        optimization_goal: 'CLICK',
        bid_type: 'BID_TYPE_CUSTOM',
        bid_price: 0.5,
      }),
      later: (random) => ({ budget: 60 + random.below(30), bid_price: 0.75 }),
    },
    ad: {
      first: (random) => ({
        ad_format: 'SINGLE_VIDEO',
        ad_text: 'Made to last',
        video_id: `v${random.below(1_000)}`,
        identity_id: '7100000000000000001',
        identity_type: 'CUSTOMIZED_USER',
        landing_page_url: 'https://shop.example/',
      }),
      later: (random) => ({ ad_text: `Now with ${10 + random.below(40)} % off` }),
    },
  },
};

/** Some of the merchants of a load, and what each of them advertises with; the same for the same seed. */
export function planAds(merchantIds: readonly string[], { seed, events }: { seed: number; events: number }): AdPlan[] {
  const random = createRandom(seed);
  const wanted = Math.min(mostShops, Math.max(fewestShops, Math.round(events / eventsPerShop)));
  const shops = Math.min(wanted, merchantIds.length);
  return Array.from({ length: shops }, (_, at) => {
    const merchantId = merchantIds[Math.floor((at * merchantIds.length) / shops)] ?? '';
    const [one = 'meta'] = adNetworkIds.slice(at % adNetworkIds.length);
    // Every other shop is on all of them.
    const networks = at % 2 === 0 ? adNetworkIds : [one];
    return { merchantId, networks, dailyBudgetMinor: 1_000 + random.below(9_000), steps: stepsOf(networks, random) };
  });
}

function stepsOf(networks: readonly AdNetworkId[], random: Random): AdStep[] {
  const settings = (kind: Kind, when: 'first' | 'later', on = networks): Settings =>
    Object.fromEntries(on.map((network) => [network, { ...words[network][kind][when](random) }]));
  const made: Extract<AdStep, { do: 'make' }>[] = [];
  for (let set = 1; set <= 1 + random.below(2); set++) {
    const adSet = `set ${set}`;
    const state = random.chance(0.8) ? 'active' : 'paused';
    made.push({
      ...({ do: 'make', kind: 'ad_set', key: adSet, name: `Ad ${adSet}` } as const),
      ...{ state, settings: settings('ad_set', 'first') },
    });
    for (let number = 1; number <= 1 + random.below(2); number++) {
      const key = `ad ${set}.${number}`;
      made.push({
        ...({ do: 'make', kind: 'ad', key, adSet, name: `The ${key}`, state: 'active' } as const),
        settings: settings('ad', 'first'),
      });
    }
  }
  const changes = (count: number): AdStep[] =>
    Array.from({ length: count }, (): AdStep => {
      const { key, kind, name } = made[random.below(made.length)] ?? { key: '', kind: 'ad', name: '' };
      if (random.chance(0.4)) return { do: 'state', key, state: random.pick(['paused', 'active']) };
      return {
        ...({ do: 'change', key } as const),
        ...(random.chance(0.5) ? { name: `${name}, changed` } : {}),
        settings: settings(kind, 'later', [random.pick([networks[0] ?? 'meta', ...networks])]),
      };
    });
  const last = made.findLast(({ kind }) => kind === random.pick(['ad', 'ad_set']));
  return [
    ...made,
    // What overtakes the making is a change like any other.
    ...changes(1),
    { do: 'look' },
    ...changes(3),
    ...(last !== undefined && made.length > 2 && random.chance(0.5)
      ? [{ do: 'state', key: last.key, state: 'ended' } as const]
      : []),
  ];
}
