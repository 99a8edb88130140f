/** What a transaction of several lanes costs one of the machine's processors, milliseconds. */
export interface ConvoyCost {
  convoyMs: number;
  laneMs: number;
  eventMs: number;
}

/**
 * From docs/decisions/0005-convoys.md, on two shared cores that also ran Postgres and Redis. 5,200 events/s with one event a
 * lane and 13,600 with twenty, of 4,900 to 5,500 and 11,400 to 15,100 there, are convoys of 64 and 800 events at 12.3 and 58.8
 * ms of the machine; two cores, twice that each. Slower than what docs/benchmarks.md has now, and so on the safe side.
 */
export const convoyCost: ConvoyCost = { convoyMs: 3.2, laneMs: 0.2, eventMs: 0.133 };

/**
 * Events a second of the whole machine of docs/benchmarks.md, Postgres and Redis beside, rounded. Written here and not read from
 * there: a run more moves them by a tenth, which is no reason to plan anew.
 */
export const bench = {
  cores: 2,
  /** One event a lane: the worst there is, since a visit is worth one event. */
  worked: 9_400,
  /** Without SQS and DynamoDB. */
  accepted: 14_200,
};

/**
 * What is planned with is the bench divided by this: production has its Postgres over a network and in three zones, its queues
 * and marks beside, larger payloads, and handlers that do more than the catalog's.
 */
export const safetyFactor = 2;

export const rates = {
  workedPerCoreAndSecond: bench.worked / bench.cores / safetyFactor,
  acceptedPerCoreAndSecond: bench.accepted / bench.cores / safetyFactor,
  /** Redis' own time for an activation that is added, claimed, ended and trimmed, microseconds: docs/decisions/0006. */
  redisMicrosPerActivation: 42,
};
