import type { LaneState } from './fence.ts';
import { isWorkedAlone } from './lane-limits.ts';

/**
 * Who is worked with whom, how much at a time and for how long. Pure, so that a simulation can play with them.
 */
export interface TurnLimits {
  /** Events a lane may contribute to one transaction. */
  windowEvents: number;
  windowBytes: number;
  /** Lanes that share a transaction. */
  convoyLanes: number;
  /** Events that all lanes of a transaction contribute together. */
  convoyEvents: number;
  convoyBytes: number;
  /** Windows a lane of weight 1 is worked before others get their turn. */
  quantumWindows: number;
  /** The same as a time, of a lane of weight 1. */
  quantumMs: number;
}

/** What each lane may contribute when `lanes` of them share a transaction: at least one event, whatever its size. */
export function windowOf(lanes: number, limits: TurnLimits): { events: number; bytes: number } {
  const share = Math.max(1, lanes);
  return {
    events: Math.max(1, Math.min(limits.windowEvents, Math.floor(limits.convoyEvents / share))),
    bytes: Math.max(1, Math.min(limits.windowBytes, Math.floor(limits.convoyBytes / share))),
  };
}

/**
 * Whether a lane may share a transaction before its row is read: not after a death of a worker process, which it may have
 * caused, nor shortly after it made a shared transaction fail.
 */
export const mayShare = ({ stalledCount, suspect }: { stalledCount: number; suspect: boolean }): boolean =>
  stalledCount === 0 && !suspect;

/** What the fence says about a lane that would share a transaction. */
export function roleOf(lane: LaneState): 'share' | 'alone' | 'wait' {
  if (lane.state !== 'active') return 'wait';
  return isWorkedAlone(lane) ? 'alone' : 'share';
}
