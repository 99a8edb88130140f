import type { AdAccount, CampaignState } from './network.ts';

export type AdObjectKind = 'ad_set' | 'ad';

/** An ad set or ad as a network is told of it, once: only its state changes later. */
export interface AdObjectFields {
  /** What the network calls the campaign or the ad set that it belongs to. */
  parentId: string;
  /** With our tag in it. */
  name: string;
  tag: string;
  state: Exclude<CampaignState, 'ended'>;
  /** In the network's own words: targeting, bids, creatives. What we say ourselves goes before it. */
  settings: Record<string, unknown>;
}

export interface NetworkAdObject {
  externalId: string;
  state: CampaignState;
}

/** What we ask of a network about what lies under a campaign. Errors are those of `AdNetwork`. */
export interface NetworkAdObjects {
  /** Answers with the network's id. `requestKey` (hex) names the call where the network knows idempotency. */
  create(
    account: AdAccount,
    kind: AdObjectKind,
    fields: AdObjectFields,
    requestKey: string,
    signal: AbortSignal,
  ): Promise<string>;
  /** Doing it again changes nothing. */
  changeState(
    account: AdAccount,
    kind: AdObjectKind,
    externalId: string,
    state: CampaignState,
    signal: AbortSignal,
  ): Promise<void>;
  /** Every one with the tag, also ended ones. */
  find(
    account: AdAccount,
    kind: AdObjectKind,
    at: { parentId: string; tag: string },
    signal: AbortSignal,
  ): Promise<NetworkAdObject[]>;
}
