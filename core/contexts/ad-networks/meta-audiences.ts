import { z } from 'zod';
import type { HashedMember, NetworkAudiences } from './audience-network.ts';
import { notUnderstood } from './http.ts';
import type { MetaCalls } from './meta-calls.ts';
import { LanewayError } from '../../runtime/errors.ts';

const BATCH = 10_000;
const created = z.looseObject({ id: z.string().min(1) });
const listed = z.looseObject({ id: z.string(), name: z.string() });
const received = z.looseObject({ num_received: z.int(), num_invalid_entries: z.int().default(0) });

/** One row for each member, in the order of the schema; what is not known is empty. */
const payloadOf = (members: readonly HashedMember[]) => ({
  schema: ['EMAIL', 'PHONE'],
  data: members.map(({ email = '', phone = '' }) => [email, phone]),
});

export function metaAudiences({ call, all }: MetaCalls): NetworkAudiences {
  const upload = async (
    method: 'POST' | 'DELETE',
    audienceId: string,
    members: readonly HashedMember[],
    signal: AbortSignal,
  ): Promise<void> => {
    if (members.length === 0) return;
    const body = { payload: payloadOf(members) };
    const answer = received.safeParse(await call({ method, path: `${audienceId}/users`, body }, signal));
    if (!answer.success) throw notUnderstood(true, answer.error);
    if (answer.data.num_received !== members.length)
      throw new LanewayError(
        'effect.outcome_unknown',
        `of ${members.length} members the ad network received ${answer.data.num_received}`,
        { retry: 'backoff' },
      );
  };

  return {
    batch: BATCH,
    leastToCreate: 0,
    async create({ accountId }, name, _, signal) {
      const body = { name, subtype: 'CUSTOM', customer_file_source: 'USER_PROVIDED_ONLY' };
      const answer = created.safeParse(
        await call({ method: 'POST', path: `act_${accountId}/customaudiences`, body }, signal),
      );
      if (!answer.success) throw notUnderstood(true, answer.error);
      return answer.data.id;
    },
    async find({ accountId }, text, signal) {
      const rows = await all(`act_${accountId}/customaudiences`, { fields: 'id,name' }, signal);
      return rows.map((row) => listed.parse(row)).find(({ name }) => name.includes(text))?.id;
    },
    async change(_, audienceId, { add, remove }, signal) {
      await upload('POST', audienceId, add, signal);
      await upload('DELETE', audienceId, remove, signal);
    },
    async remove({ accountId }, audienceId, signal) {
      const rows = await all(`act_${accountId}/customaudiences`, { fields: 'id,name' }, signal);
      if (rows.some((row) => listed.parse(row).id === audienceId))
        await call({ method: 'DELETE', path: audienceId }, signal);
    },
  };
}
