import { type Kysely, sql } from 'kysely';
import type { Database } from '../../core/database/tables.ts';
import type { Registry } from '../../core/events/registry.ts';
import { type LaneChange, changeLane } from '../../core/operations/change-lane.ts';
import {
  drainLane,
  limitLane,
  pauseLane,
  resumeLane,
  unblockLane,
  weighLane,
} from '../../core/operations/lane-commands.ts';
import type { Clock } from '../../core/runtime/clock.ts';
import { LanewayError } from '../../core/runtime/errors.ts';
import { bullPrefix, laneQueueName } from '../../core/runtime/queue-names.ts';
import type { Said } from '../operator-command.ts';
import { type RedisSide, readRedisFacts, wakeNow } from './activation.ts';
import { explainLane } from './explain.ts';
import { type LaneFacts, readLaneFacts } from './lane-facts.ts';
import type { LanesCommand } from './parse-arguments.ts';
import { presentChange, presentExplanation, presentPage } from './present.ts';
import { readLanes } from './read-lanes.ts';
import { rebuildLane } from './rebuild.ts';

export interface LanesDependencies extends RedisSide {
  db: Kysely<Database>;
  registry: Registry;
  clock: Clock;
  laneCap: number;
}

/** Rejects with `resource.not_found`, `operators.refused`, or what the servers say. */
export async function runLanesCommand(deps: LanesDependencies, command: LanesCommand): Promise<Said> {
  const now = deps.clock.now();
  switch (command.kind) {
    case 'list': {
      const page = await readLanes(deps.db, command.query);
      return { value: page, text: presentPage(page) };
    }
    case 'show':
      return await show(deps, command.merchantId);
    case 'explain': {
      const lane = await existing(deps, command.merchantId);
      const redis = await readRedisFacts(deps, command.merchantId);
      const explanation = explainLane(lane, redis, deps.registry, now);
      return { value: explanation, text: presentExplanation(explanation) };
    }
    case 'pause':
      return said(await pauseLane(deps.db, command, now), null);
    case 'weight':
      return said(await weighLane(deps.db, command, now), null);
    case 'resume':
      return await woken(deps, await resumeLane(deps.db, command, now));
    case 'drain':
      return await woken(deps, await drainLane(deps.db, command, now));
    case 'unblock':
      return await woken(deps, await unblockLane(deps.db, command, now));
    case 'rate':
      return await woken(deps, await limitLane(deps.db, command, now));
    case 'rebuild':
      return await rebuild(deps, command, now);
    default:
      return command satisfies never;
  }
}

async function existing(deps: LanesDependencies, merchantId: string): Promise<LaneFacts> {
  const lane = await readLaneFacts(deps.db, merchantId);
  if (lane === undefined)
    throw new LanewayError(
      'resource.not_found',
      `no event of the merchant ${JSON.stringify(merchantId)} was accepted yet`,
    );
  return lane;
}

const ACTIONS_SHOWN = 10;

async function show(deps: LanesDependencies, merchantId: string): Promise<Said> {
  const lane = await existing(deps, merchantId);
  const redis = await readRedisFacts(deps, merchantId);
  const actions = await deps.db
    .selectFrom('operator_actions')
    .select(['action', 'requested_by', 'reason', 'requested_at'])
    .where('merchant_id', '=', merchantId)
    .orderBy('id', 'desc')
    .limit(ACTIONS_SHOWN)
    .execute();
  const { rows: effects } = await sql`
    select destination, state, count(*)::int as count from intents
    where merchant_id = ${merchantId} and state <> 'done' group by destination, state order by destination, state
  `.execute(deps.db);
  const queue = `${bullPrefix(deps.stack)}:${laneQueueName(merchantId)}`;
  const value = { ...lane, redis, queue, effects, actions };
  return { value, text: JSON.stringify(value, null, 2) };
}

const said = (change: LaneChange & { pointers?: number }, woke: boolean | null): Said => {
  const value = { ...change, woken: woke };
  return { value, text: presentChange(value) };
};

/** Also where nothing changed: whoever says a command again wants the lane to go on. */
const woken = async (deps: LanesDependencies, change: LaneChange): Promise<Said> =>
  said(change, await wakeNow(deps, change.merchantId));

async function rebuild(
  deps: LanesDependencies,
  command: Extract<LanesCommand, { kind: 'rebuild' }>,
  now: number,
): Promise<Said> {
  const { merchantId, requester } = command;
  // Due, so that the sweeper wakes it even if Redis does not hear of it.
  const change = await changeLane(deps.db, { merchantId, action: 'rebuild', requester }, now, () => ({
    kind: 'change',
    set: { wake: sql<number>`wake + 1`, due_at: new Date(now) },
  }));
  const pointers = await rebuildLane({ ...deps, prefix: bullPrefix(deps.stack), cap: deps.laneCap }, merchantId);
  return said({ ...change, pointers }, await wakeNow(deps, merchantId));
}
