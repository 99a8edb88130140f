import type { NetworkAdObjects } from './ad-object-network.ts';
import type { NetworkAudiences } from './audience-network.ts';
import type { AdNetworkId } from '../campaigns/events.ts';

/** An account of a merchant at a network, as the network calls it: digits. */
export interface AdAccount {
  accountId: string;
  /** Figures and budgets of the whole account are in it. */
  currency: string;
  /** IANA name: the zone of report days and schedules. */
  timeZone: string;
}

export type CampaignState = 'active' | 'paused' | 'ended';

/** A campaign as a network is told of it. Ended is final everywhere. */
export interface CampaignFields {
  state: CampaignState;
  /** With our tag in it, by which the campaign is found again. */
  name: string;
  /** Minor units of the account's currency per day. */
  dailyBudgetMinor: number;
  /** ISO 8601. Our own schedule ends the campaign; this is the network's safety net where it has one. */
  endAt?: string | undefined;
}

/** A campaign as a network holds it. */
export interface NetworkCampaign {
  externalId: string;
  name: string;
  state: CampaignState;
  /** Undefined where the campaign has no daily budget of its own: it was made outside. */
  dailyBudgetMinor: number | undefined;
}

/** A day of something, in the words of AdPerformanceDataIngestedEvent. */
export interface DayFigures {
  /** A day in the account's zone. */
  date: string;
  impressions: number;
  clicks: number;
  /** Fractional where the network models them. */
  conversions: number;
  /** Millionths of the currency's major unit. */
  spendMicros: number;
}

/** A day of a campaign, or of an ad where reports of ads are asked for. */
export interface ReportRow extends DayFigures {
  externalId: string;
}

/** Days inclusive, at most 30. */
export interface DayRange {
  from: string;
  to: string;
}

/**
 * What we ask of an ad network, in one vocabulary. An adapter makes the calls and says in our error codes what became of
 * them (`http.ts`); it keeps no state but its access token. Listings are complete or fail: one that was cut short would
 * make the reconciler see campaigns vanish.
 */
export interface AdNetwork {
  id: AdNetworkId;
  readAccount(accountId: string, signal: AbortSignal): Promise<AdAccount>;
  /** Answers with the network's id. `requestKey` (hex) names the call where the network knows idempotency. */
  createCampaign(account: AdAccount, fields: CampaignFields, requestKey: string, signal: AbortSignal): Promise<string>;
  /** Makes the fields so that are given. Doing it again changes nothing. */
  changeCampaign(
    account: AdAccount,
    externalId: string,
    fields: Partial<CampaignFields>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Every campaign, also ended ones, whose name contains the text. */
  findCampaigns(account: AdAccount, text: string, signal: AbortSignal): Promise<NetworkCampaign[]>;
  /** Every campaign that has not ended. */
  listCampaigns(account: AdAccount, signal: AbortSignal): Promise<NetworkCampaign[]>;
  /** Every campaign's days. */
  report(account: AdAccount, range: DayRange, signal: AbortSignal): Promise<ReportRow[]>;
  audiences: NetworkAudiences;
  adObjects: NetworkAdObjects;
}
