import type { Accounts } from './accounts.ts';
import type { Faults } from './faults.ts';
import type { ObjectStore } from './object-store.ts';

/** What every imitated network is made from. */
export interface NetworkParts {
  readonly store: ObjectStore;
  readonly accounts: Accounts;
  readonly faults: Faults;
}
