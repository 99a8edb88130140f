import type { Kysely } from 'kysely';
import type { Database } from '../core/database/tables.ts';
import type { LoadPanel, Panel } from './panels.ts';
import type { QueueDepth } from './queue-depths.ts';
import { type Activity, readActivity } from './reads/activity.ts';
import { type OpenDelivery, readOpenDeliveries } from './reads/deliveries.ts';
import { type DestinationEffects, type NetworkStates, readEffects, readNetworkStates } from './reads/effects.ts';
import { type Backlog, type LaneSummary, readBacklog, readHeldLanes } from './reads/lanes.ts';
import { type OutboxPending, readOutboxPending } from './reads/outbox.ts';
import { type DeadCount, countDeadLetters } from './reads/settlements.ts';

/** The state of the whole system as operators see it first. */
export interface Overview {
  at: Date;
  activity: Panel<Activity>;
  backlog: Panel<Backlog>;
  held: Panel<readonly LaneSummary[]>;
  deliveries: Panel<readonly OpenDelivery[]>;
  dead: Panel<readonly DeadCount[]>;
  queues: Panel<readonly QueueDepth[]>;
  outbox: Panel<readonly OutboxPending[]>;
  effects: Panel<readonly DestinationEffects[]>;
  networks: Panel<readonly NetworkStates[]>;
}

export interface OverviewSources {
  db: Kysely<Database>;
  loadPanel: LoadPanel;
  queueDepths: () => Promise<readonly QueueDepth[]>;
}

const TOP_LANES = 15;
const HELD_LANES = 25;
const OPEN_DELIVERIES = 25;

export async function loadOverview({ db, loadPanel, queueDepths }: OverviewSources, nowMs: number): Promise<Overview> {
  const [activity, backlog, held, deliveries, dead, queues, outbox, effects, networks] = await Promise.all([
    loadPanel('activity', () => readActivity(db, nowMs)),
    loadPanel('backlog', () => readBacklog(db, TOP_LANES)),
    loadPanel('held lanes', () => readHeldLanes(db, HELD_LANES)),
    loadPanel('deliveries', () => readOpenDeliveries(db, OPEN_DELIVERIES)),
    loadPanel('dead letters', () => countDeadLetters(db, nowMs)),
    loadPanel('queues', queueDepths),
    loadPanel('outbox', () => readOutboxPending(db)),
    loadPanel('effects', () => readEffects(db)),
    loadPanel('ad networks', () => readNetworkStates(db)),
  ]);
  return { at: new Date(nowMs), activity, backlog, held, deliveries, dead, queues, outbox, effects, networks };
}
