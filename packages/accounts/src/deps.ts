import type { Clock, Database } from '@impact-hub/core';
import type { Accounts } from './create-accounts.ts';
import type { ScopeCatalogue } from './roles.ts';

export type AccountsDeps = {
  db: Database;
  clock: Clock;
  accounts: Accounts;
  /** Every scope of every module, with its sentence. */
  scopeCatalogue: ScopeCatalogue;
};
