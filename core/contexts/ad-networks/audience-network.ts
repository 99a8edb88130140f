import type { AdAccount } from './network.ts';

/** A person as a network knows them: SHA-256 of what its rules make of an e-mail address or a phone number. */
export interface HashedMember {
  email?: string;
  phone?: string;
}

/** Audiences at a network. Members cannot be read back anywhere; adding or removing them again changes nothing. */
export interface NetworkAudiences {
  /** Members that one call may carry. */
  batch: number;
  /** Fewer cannot make an audience. */
  leastToCreate: number;
  /** Answers with the network's id. `first` are members for networks that make no empty audience. */
  create(account: AdAccount, name: string, first: readonly HashedMember[], signal: AbortSignal): Promise<string>;
  /** The id of the audience whose name contains the text. */
  find(account: AdAccount, text: string, signal: AbortSignal): Promise<string | undefined>;
  change(
    account: AdAccount,
    externalId: string,
    members: { add: readonly HashedMember[]; remove: readonly HashedMember[] },
    signal: AbortSignal,
  ): Promise<void>;
  /** One that is gone already is no error. */
  remove(account: AdAccount, externalId: string, signal: AbortSignal): Promise<void>;
}
