import { z } from 'zod';
import type { HashedMember, NetworkAudiences } from './audience-network.ts';
import { notUnderstood } from './http.ts';
import type { AdAccount } from './network.ts';

const BATCH = 10_000;
/** Days; the longest that Google keeps a member who is not uploaded again. */
const MEMBERSHIP_DAYS = 540;

const userListRow = z.looseObject({ userList: z.looseObject({ id: z.string() }) });
const mutatedList = z.looseObject({ userListResult: z.looseObject({ resourceName: z.string() }) });

export interface GoogleCalls {
  query: (accountId: string, gaql: string, signal: AbortSignal) => Promise<unknown[]>;
  mutate: (accountId: string, operations: object[], signal: AbortSignal) => Promise<unknown[]>;
  /** A call of the Data Manager API, by which members are uploaded since Customer Match takes no new ones. */
  dataManager: (method: string, body: object, signal: AbortSignal) => Promise<unknown>;
}

const identifiersOf = ({ email, phone }: HashedMember): object[] => [
  ...(email === undefined ? [] : [{ emailAddress: email }]),
  ...(phone === undefined ? [] : [{ phoneNumber: phone }]),
];

export function googleAudiences({ query, mutate, dataManager }: GoogleCalls): NetworkAudiences {
  const upload = async (
    method: 'ingest' | 'remove',
    { accountId }: AdAccount,
    listId: string,
    members: readonly HashedMember[],
    signal: AbortSignal,
  ): Promise<void> => {
    if (members.length === 0) return;
    await dataManager(
      `audienceMembers:${method}`,
      {
        destinations: [{ operatingAccount: { accountType: 'GOOGLE_ADS', accountId }, productDestinationId: listId }],
        audienceMembers: members.map((member) => ({ userData: { userIdentifiers: identifiersOf(member) } })),
        encoding: 'HEX',
        // Only members who gave both are ever uploaded.
        ...(method === 'ingest'
          ? {
              consent: { adUserData: 'CONSENT_GRANTED', adPersonalization: 'CONSENT_GRANTED' },
              termsOfService: { customerMatchTermsOfServiceStatus: 'ACCEPTED' },
            }
          : {}),
      },
      signal,
    );
  };

  return {
    batch: BATCH,
    leastToCreate: 0,
    async create({ accountId }, name, _, signal) {
      const create = { name, membershipLifeSpan: MEMBERSHIP_DAYS, crmBasedUserList: { uploadKeyType: 'CONTACT_INFO' } };
      const [answer] = await mutate(accountId, [{ userListOperation: { create } }], signal);
      const made = mutatedList.safeParse(answer);
      const id = /\/(\d+)$/.exec(made.data?.userListResult.resourceName ?? '')?.[1];
      if (id === undefined) throw notUnderstood(true, made.error);
      return id;
    },
    async find({ accountId }, text, signal) {
      const gaql = `SELECT user_list.id, user_list.name FROM user_list WHERE user_list.name LIKE '%${text}%'`;
      const [row] = await query(accountId, gaql, signal);
      return row === undefined ? undefined : userListRow.parse(row).userList.id;
    },
    async change(account, listId, { add, remove }, signal) {
      await upload('ingest', account, listId, add, signal);
      await upload('remove', account, listId, remove, signal);
    },
    async remove(account, listId, signal) {
      const gaql = `SELECT user_list.id, user_list.name FROM user_list WHERE user_list.id = ${listId}`;
      if ((await query(account.accountId, gaql, signal)).length === 0) return;
      const remove = `customers/${account.accountId}/userLists/${listId}`;
      await mutate(account.accountId, [{ userListOperation: { remove } }], signal);
    },
  };
}
