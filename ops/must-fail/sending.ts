import type { TakeAway } from './take-away.ts';

const relayTest = 'workers/outbox-relay.test.ts';
const leasesTest = 'workers/outbox-leases.test.ts';
const effectsTest = 'workers/effects.test.ts';

/** What leaves: the outbox, dead letters and calls to the outside. */
export const sending: readonly TakeAway[] = [
  {
    hazard: 'H6',
    takes: 'which time it is, in the id of a dead letter',
    file: 'workers/execute-alone.ts',
    from: "ordinal: delivery.state === 'redrive' ? delivery.createdAt.getTime() : 0,",
    to: 'ordinal: 0,',
    test: 'workers/redrive.test.ts',
    expects: 'every dead letter has a deduplication id of its own: of two handlers, and of a redrive that failed again',
  },
  {
    hazard: 'H7',
    takes: 'the wait of a merchant’s stream behind a row that was refused',
    file: 'workers/outbox-rows.ts',
    from: '                and merchant_id > part.after collate "C"\n',
    to: '                and merchant_id > part.after collate "C" and (not_before is null or not_before <= now())\n',
    test: relayTest,
    expects: 'a throttled entry is not overtaken by its merchant’s next, and holds up no other merchant',
  },
  {
    hazard: 'H7',
    takes: 'going from merchant to merchant: several rows of one are sent together',
    file: 'workers/outbox-rows.ts',
    from: 'and merchant_id > head.merchant_id',
    to: 'and (merchant_id, seq) > (head.merchant_id, head.seq)',
    test: relayTest,
    expects: 'at most one row of a merchant’s stream is on its way at a time',
  },
  {
    hazard: 'H7',
    takes: 'that only the holder of a shard marks its rows',
    file: 'workers/outbox-rows.ts',
    from: `      and exists (select from relay_leases l where l.shard = o.shard and l.owner = \${owner})
  \`.execute(db);
}

export interface Refused`,
    to: `  \`.execute(db);
}

export interface Refused`,
    test: leasesTest,
    expects: 'a relay whose shard was taken over marks nothing any more',
  },
  {
    hazard: 'H7',
    takes: 'the end of a lease that is not renewed',
    file: 'workers/outbox-leases.ts',
    from: 'held.shard = free.shard and held.expires_at > now()',
    to: 'held.shard = free.shard',
    test: leasesTest,
    expects: 'shards of a relay that died are taken when its lease has passed, not before',
  },
  {
    hazard: 'H36',
    takes: 'the end of a row that no queue takes',
    file: 'workers/outbox-rows.ts',
    from: "case when t.retry_in_ms is null then 'unsendable' else 'pending' end",
    to: "'pending'",
    test: relayTest,
    expects: 'rows that no queue takes end as unsendable, and what follows them is sent',
  },
  {
    hazard: 'H14',
    takes: 'that an object’s quarantine holds the object only: its lane waits with it',
    file: 'workers/effect-lane.ts',
    from: "state in ('pending', 'sending', 'unknown') and (not_before is null or not_before <= ${at})",
    to: "state in ('pending', 'sending', 'unknown') and (not_before is null or not_before <= ${at}) and not exists (select from intents q where q.merchant_id = intents.merchant_id and q.state = 'unknown' and q.not_before > ${at})",
    test: effectsTest,
    expects: 'one object’s quarantine does not hold its neighbours',
  },
  {
    hazard: 'H14',
    takes: 'looking up what may have happened',
    file: 'workers/effect-run.ts',
    from: "if (claim.kind === 'taken-over' || wasSent(intent)) {",
    to: "if (claim.kind === 'busy') {",
    test: effectsTest,
    expects: 'a call that took effect without an answer is looked up and adopted, not repeated',
  },
  {
    hazard: 'H36',
    takes: 'the wait of an object whose call is unknown',
    file: 'core/database/intents.ts',
    from: "state = case when i.state in ('sending', 'unknown') then i.state else 'pending' end,",
    to: "state = 'pending',",
    test: effectsTest,
    expects:
      'a newer version is not sent while an older one’s outcome is unknown, and becomes an update of what is found',
  },
  {
    hazard: 'H36',
    takes: 'the content in the name of a claim',
    file: 'workers/effect-run.ts',
    from: 'intent.version, intent.contentHash]',
    to: 'intent.version]',
    test: effectsTest,
    expects: 'a version number that a restore brought back is sent when it stands for something else',
  },
];
