type Claim = { id: string; companyId: string; hasMatched: boolean; claimedAtMs: number };

/** Proven before unproven, then the earlier claim. */
const byProof = (a: Claim, b: Claim): number =>
  Number(b.hasMatched) - Number(a.hasMatched) || a.claimedAtMs - b.claimedAtMs || (a.id < b.id ? -1 : 1);

/**
 * The order in which claims of one hint are tried. Companies take turns, so that none can crowd out another by claiming
 * often; first come those that have received before, then those that claimed earliest, so that later claims cannot push
 * them back.
 */
export const orderCandidates = <C extends Claim>(claims: readonly C[]): C[] => {
  if (claims.length < 2) return [...claims];
  const ofCompany = Map.groupBy([...claims].sort(byProof), ({ companyId }) => companyId);
  const rounds: C[][] = [];
  for (const own of ofCompany.values())
    own.forEach((claim, round) => {
      (rounds[round] ??= []).push(claim);
    });
  return rounds.flat();
};
