import type { ColumnType } from 'kysely';
import type { HashedMember } from './hash-identifiers.ts';

export interface AudiencesTables {
  audience_segments: {
    merchant_id: string;
    segment_id: string;
    name: string;
    ad_network_ids: string[];
    state: 'active' | 'deleted';
    /** Numbers the changes of members. */
    last_seq: ColumnType<number, number | undefined, number>;
    created_at: Date;
    updated_at: Date;
  };
  audience_members: {
    merchant_id: string;
    segment_id: string;
    member_key: string;
    identifiers: ColumnType<HashedMember['byNetwork'], string, string>;
    /** In the segment, and with consent: what networks are to hold. */
    wanted: boolean;
    /** Of the last change: a network that has followed up to it knows. */
    seq: number;
    updated_at: Date;
  };
}
