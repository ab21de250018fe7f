/** Whose data and what for: every data key belongs to exactly one scope. */
export type KeyScope = { companyId: string; purpose: string };

/** One version of a scope's key. */
export type KeyVersion = { kid: string; version: number };

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const purposeName = /^[a-z][a-z0-9_.]{0,63}$/;

/**
 * Checks and normalises a scope. Company ids are compared as text in associated data, hence one spelling only.
 * @throws TypeError on a company id that is no UUID or a purpose that is not lower case like `impact_in.receipt`
 */
export const keyScope = (input: KeyScope): KeyScope => {
  const companyId = input.companyId.toLowerCase();
  if (!uuid.test(companyId)) throw new TypeError('companyId must be a UUID');
  if (!purposeName.test(input.purpose))
    throw new TypeError(`purpose ${JSON.stringify(input.purpose)} must match ${purposeName}`);
  return { companyId, purpose: input.purpose };
};
