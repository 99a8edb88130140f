import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { HashedMember, NetworkAudiences } from './audience-network.ts';
import type { AdAccount } from './network.ts';

const BATCH = 10_000;
/** An audience of fewer fails. */
const LEAST = 1_000;

const uploaded = z.looseObject({ file_path: z.string().min(1) });
const created = z.looseObject({ custom_audience_id: z.string().min(1) });
const listed = z.looseObject({ audience_id: z.string(), name: z.string() });

export interface TiktokCalls {
  post: <T>(
    path: string,
    body: Record<string, unknown> | FormData,
    schema: z.ZodType<T>,
    signal: AbortSignal,
  ) => Promise<T>;
  all: <T>(path: string, query: Record<string, unknown>, item: z.ZodType<T>, signal: AbortSignal) => Promise<T[]>;
}

/** Members travel as files, one for each kind of identifier, and files are then added to an audience or taken from it. */
export function tiktokAudiences({ post, all }: TiktokCalls): NetworkAudiences {
  const upload = async (
    { accountId }: AdAccount,
    kind: 'email' | 'phone',
    members: readonly HashedMember[],
    signal: AbortSignal,
  ): Promise<string[]> => {
    const hashes = members.flatMap((member) => member[kind] ?? []);
    if (hashes.length === 0) return [];
    const text = `${hashes.join('\n')}\n`;
    const form = new FormData();
    form.set('advertiser_id', accountId);
    form.set('file_signature', createHash('md5').update(text).digest('hex'));
    form.set('calculate_type', kind === 'email' ? 'EMAIL_SHA256' : 'PHONE_SHA256');
    form.set('file', new Blob([text], { type: 'text/csv' }), 'members.csv');
    return [(await post('dmp/custom_audience/file/upload', form, uploaded, signal)).file_path];
  };
  const update = async (
    account: AdAccount,
    audienceId: string,
    // The default would replace everybody who is there.
    action: 'APPEND' | 'REMOVE',
    members: readonly HashedMember[],
    signal: AbortSignal,
  ): Promise<void> => {
    for (const kind of ['email', 'phone'] as const) {
      const paths = await upload(account, kind, members, signal);
      if (paths.length === 0) continue;
      const body = { advertiser_id: account.accountId, custom_audience_id: audienceId, file_paths: paths, action };
      await post('dmp/custom_audience/update', body, z.looseObject({}), signal);
    }
  };

  return {
    batch: BATCH,
    leastToCreate: LEAST,
    async create(account, name, first, signal) {
      // A file holds one kind of identifier; the other one is added with the first batch.
      const emails = first.filter(({ email }) => email !== undefined).length;
      const kind = emails * 2 >= first.length ? 'email' : 'phone';
      const paths = await upload(account, kind, first, signal);
      const body = {
        advertiser_id: account.accountId,
        custom_audience_name: name,
        file_paths: paths,
        calculate_type: kind === 'email' ? 'EMAIL_SHA256' : 'PHONE_SHA256',
      };
      return (await post('dmp/custom_audience/create', body, created, signal)).custom_audience_id;
    },
    async find({ accountId }, text, signal) {
      const rows = await all('dmp/custom_audience/list', { advertiser_id: accountId }, listed, signal);
      return rows.find(({ name }) => name.includes(text))?.audience_id;
    },
    async change(account, audienceId, { add, remove }, signal) {
      await update(account, audienceId, 'APPEND', add, signal);
      await update(account, audienceId, 'REMOVE', remove, signal);
    },
    async remove({ accountId }, audienceId, signal) {
      const rows = await all('dmp/custom_audience/list', { advertiser_id: accountId }, listed, signal);
      if (!rows.some((row) => row.audience_id === audienceId)) return;
      const body = { advertiser_id: accountId, custom_audience_ids: [audienceId] };
      await post('dmp/custom_audience/delete', body, z.looseObject({}), signal);
    },
  };
}
