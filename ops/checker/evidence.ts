import type { AskedAdObject } from '../load/advertise.ts';

/**
 * What the stores hold once everything rests: the only thing the checker looks at besides what was sent. Nothing here is
 * computed by code of the pipeline.
 */
export interface Evidence {
  readonly accepted: readonly { merchantId: string; eventId: string; mseq: number }[];
  readonly settlements: readonly Settlement[];
  /** Events that handlers, effects or the gateway wrote to the outbox, in outbox order for each merchant. */
  readonly emitted: readonly Emitted[];
  /** Rows of the outbox that were not sent. */
  readonly unsent: readonly { merchantId: string; eventId: string; state: string }[];
  readonly openDeliveries: readonly { merchantId: string; eventId: string; handler: string; state: string }[];
  readonly intents: readonly {
    merchantId: string;
    destination: string;
    objectKey: string;
    state: string;
    eventId: string;
    /** Not to be tried before; null for at once. */
    notBeforeMs: number | null;
  }[];
  readonly products: readonly ProductRow[];
  readonly dimensions: readonly { merchantId: string; productId: string; active: boolean; changes: number }[];
  readonly performance: readonly PerformanceRow[];
  readonly networkStates: readonly NetworkState[];
  readonly adObjectStates: readonly AdObjectState[];
  /** Ad sets and ads that merchants were told were taken. */
  readonly askedAdObjects: readonly AskedAdObject[];
  readonly deadLetters: readonly DeadLetterMessage[];
  /** The fake networks' own log of calls that took effect. */
  readonly calls: readonly NetworkCall[];
  /** The fake mailbox's own log of messages that it took. */
  readonly messages: readonly AcceptedMessage[];
  /** How many messages each address was to get by a channel. */
  readonly notified: readonly { channel: string; to: string; count: number }[];
}

export interface Settlement {
  readonly merchantId: string;
  readonly eventId: string;
  readonly mseq: number;
  readonly handler: string;
  readonly outcome: 'done' | 'skip' | 'dead';
  readonly reason: string | null;
  readonly settledSeq: number;
  readonly settledAtMs: number;
}

export interface Emitted {
  readonly merchantId: string;
  readonly eventId: string;
  readonly eventType: string;
  /** `queue:Name` or `topic:Name` */
  readonly destination: string;
  readonly createdAtMs: number;
  readonly payload: unknown;
}

export interface ProductRow {
  readonly merchantId: string;
  readonly productId: string;
  readonly title: string | null;
  readonly priceMinor: number | null;
  readonly currency: string | null;
  readonly availability: string | null;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly sourceAtMs: number;
  readonly deleted: boolean;
  /** Changes that took effect. */
  readonly revision: number;
}

export interface PerformanceRow {
  readonly merchantId: string;
  readonly reportDate: string;
  readonly adNetworkId: string;
  readonly campaignId: string;
  readonly adSetId: string;
  readonly adId: string;
  readonly impressions: number;
  readonly clicks: number;
  readonly conversions: number;
  readonly spendMicros: number;
  readonly currency: string;
  readonly sourceAtMs: number;
}

export interface NetworkState {
  readonly merchantId: string;
  readonly campaignId: string;
  readonly adNetworkId: string;
  readonly desiredState: string;
  readonly status: string;
  readonly actualState: string | null;
  readonly externalId: string | null;
}

export interface AdObjectState {
  readonly merchantId: string;
  readonly objectId: string;
  readonly adNetworkId: string;
  readonly status: string;
  readonly actualState: string | null;
  readonly externalId: string | null;
}

export interface DeadLetterMessage {
  readonly queue: string;
  readonly body: string;
  readonly merchantId: string | undefined;
  readonly eventId: string | undefined;
  readonly handler: string;
  readonly errorCode: string;
}

export interface NetworkCall {
  readonly network: string;
  readonly account: string;
  readonly kind: 'campaign' | 'ad_set' | 'ad';
  readonly op: 'create' | 'update';
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface AcceptedMessage {
  readonly channel: string;
  readonly to: readonly string[];
  /** What we call the message; null where a channel has no place for it. */
  readonly tag: string | null;
}

/** One broken promise. */
export interface Finding {
  readonly kind: 'lost' | 'duplicated' | 'reordered';
  readonly what: string;
}

/** A key of several parts that no value of a part can imitate. */
export const keyOf = (...parts: readonly (string | number)[]): string => JSON.stringify(parts);
