/** What decides how many pointers a lane may take. */
export interface LanePressure {
  /** Events of the merchant that are accepted and not yet worked, the ones to add included. */
  backlog: number;
  adding: number;
  /** Pointers that one lane may hold. */
  cap: number;
  /** Used part of Redis' memory, in [0, 1]; undefined when Redis has no limit or was not asked yet. */
  memoryShare: number | undefined;
}

/** Below this share of Redis' memory lanes fill up to their cap. */
const PLENTY = 0.3;
/** From this share on no pointers are added at all: well below the 60 % at which intake stops. */
const ENOUGH = 0.5;

/**
 * How many of the pointers to add a lane has room for. Pointers are for people to see and decide nothing, so they are the
 * first thing to go when Redis fills up, whatever merchants send: the cap shrinks for all lanes together and is gone before
 * intake has to stop. A large backlog of one merchant then costs the others their view, never their turn.
 */
export function roomFor({ backlog, adding, cap, memoryShare }: LanePressure): number {
  const left = memoryShare === undefined ? 1 : (ENOUGH - memoryShare) / (ENOUGH - PLENTY);
  const capNow = Math.round(cap * Math.min(1, Math.max(0, left)));
  return Math.max(0, Math.min(adding, capNow - (backlog - adding)));
}
