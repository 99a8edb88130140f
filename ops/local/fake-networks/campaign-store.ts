import { join } from 'node:path';
import { z } from 'zod';
import { openJournal } from './journal.ts';

export const networks = ['google_ads', 'meta', 'tiktok'] as const;
export type Network = (typeof networks)[number];

const status = z.enum(['ACTIVE', 'PAUSED', 'ENDED']);
const name = z.string().min(1).max(400);
const dailyBudgetMinor = z.int().min(0);

export const creation = z.strictObject({
  name,
  /** The caller's own marker, the natural key by which a lost answer can be looked up. Not unique. */
  tag: z.string().min(1).max(400),
  status,
  /** In minor units of `currency`, such as cents. */
  dailyBudgetMinor,
  currency: z.string().regex(/^[A-Z]{3}$/),
  parameters: z.record(z.string(), z.unknown()).optional(),
});

export const change = z
  .strictObject({ name, status, dailyBudgetMinor })
  .partial()
  .refine((fields) => Object.keys(fields).length > 0, 'nothing to change');

/** A call that took effect. Whoever checks the product reads these and nothing else of this server. */
export const acceptedCall = z.object({
  n: z.int(),
  at: z.iso.datetime(),
  network: z.enum(networks),
  account: z.string(),
  op: z.enum(['create', 'update']),
  id: z.string(),
  body: z.record(z.string(), z.unknown()),
});
export type AcceptedCall = z.infer<typeof acceptedCall>;

export type Campaign = z.infer<typeof creation> & {
  readonly id: string;
  readonly createdAt: string;
  readonly updatedAt: string;
};

interface Owner {
  readonly network: Network;
  readonly account: string;
}

/**
 * Campaigns of all networks and accounts. The journal of accepted calls is the only thing stored: campaigns are what
 * replaying it gives, so that log and state cannot disagree.
 */
export interface CampaignStore {
  readonly calls: readonly AcceptedCall[];
  create(owner: Owner, body: z.infer<typeof creation>): Campaign;
  update(owner: Owner, id: string, body: z.infer<typeof change>): Campaign | undefined;
  get(owner: Owner, id: string): Campaign | undefined;
  list(owner: Owner, tag?: string): Campaign[];
}

export function openCampaignStore(dir: string): CampaignStore {
  const journal = openJournal(join(dir, 'calls.jsonl'), acceptedCall);
  const accounts = new Map<string, Map<string, Campaign>>();
  const of = ({ network, account }: Owner): Map<string, Campaign> => {
    const campaigns = accounts.get(`${network}/${account}`) ?? new Map<string, Campaign>();
    accounts.set(`${network}/${account}`, campaigns);
    return campaigns;
  };

  const apply = (call: AcceptedCall): Campaign => {
    const campaigns = of(call);
    const before = campaigns.get(call.id);
    const campaign: Campaign =
      before === undefined
        ? { ...creation.parse(call.body), id: call.id, createdAt: call.at, updatedAt: call.at }
        : { ...before, ...definedFields(change.parse(call.body)), updatedAt: call.at };
    campaigns.set(call.id, campaign);
    return campaign;
  };
  const accept = (owner: Owner, op: AcceptedCall['op'], id: string, body: AcceptedCall['body']): Campaign => {
    const { network, account } = owner;
    const call = { n: nextNumber(), at: new Date().toISOString(), network, account, op, id, body };
    journal.append(call);
    return apply(call);
  };
  const nextNumber = () => (journal.entries.at(-1)?.n ?? 0) + 1;
  for (const call of journal.entries) apply(call);

  return {
    calls: journal.entries,
    create: (owner, body) => accept(owner, 'create', String(120_000_000_000 + nextNumber()), body),
    update: (owner, id, body) => (of(owner).has(id) ? accept(owner, 'update', id, body) : undefined),
    get: (owner, id) => of(owner).get(id),
    list: (owner, tag) => [...of(owner).values()].filter((campaign) => tag === undefined || campaign.tag === tag),
  };
}

function definedFields(
  fields: z.infer<typeof change>,
): Partial<Pick<Campaign, 'name' | 'status' | 'dailyBudgetMinor'>> {
  const { name, status, dailyBudgetMinor } = fields;
  return {
    ...(name === undefined ? {} : { name }),
    ...(status === undefined ? {} : { status }),
    ...(dailyBudgetMinor === undefined ? {} : { dailyBudgetMinor }),
  };
}
