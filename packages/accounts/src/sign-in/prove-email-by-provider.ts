import type { Sql } from '@impact-hub/core';

/**
 * The first sign-in through the identity provider proves who owns the address. Whoever set a password before, without
 * such a proof, may be somebody else: that password, its second factor and its sessions end here.
 */
export const proveEmailByProvider = async (
  sql: Sql,
  account: { userId: string; providerId: string },
): Promise<void> => {
  if (account.providerId === 'credential') return;
  await sql.begin(async (tx) => {
    const proven = await tx`
      update person set email_verified = true, two_factor_enabled = false, updated_at = now()
      where id = ${account.userId} and not email_verified returning id`;
    if (proven.length === 0) return;
    await tx`delete from sign_in_account where person_id = ${account.userId} and provider_id = 'credential'`;
    await tx`delete from two_factor where person_id = ${account.userId}`;
    await tx`delete from session where person_id = ${account.userId}`;
  });
};
