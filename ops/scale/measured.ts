/** What a transaction of several lanes costs one of the machine's processors, milliseconds. */
export interface ConvoyCost {
  convoyMs: number;
  laneMs: number;
  eventMs: number;
}

/**
 * From docs/decisions/0005-convoys.md, on two shared cores that also ran Postgres and Redis. 5,200 events/s with one event a
 * lane and 13,000 with twelve are convoys of 64 and 768 events at 12.3 and 59 ms of the machine; two cores, twice that each.
 */
export const convoyCost: ConvoyCost = { convoyMs: 3.2, laneMs: 0.2, eventMs: 0.133 };

/** All of it measured on the same two cores, with everything else beside; the second source is docs/decisions/0006. */
export const rates = {
  /** One event a lane: the worst there is, since a visit is worth one event. */
  workedPerCoreAndSecond: 5_200 / 2,
  acceptedPerCoreAndSecond: 5_900 / 2,
  /** Redis' own time for an activation that is added, claimed, ended and trimmed, microseconds. */
  redisMicrosPerActivation: 42,
};
