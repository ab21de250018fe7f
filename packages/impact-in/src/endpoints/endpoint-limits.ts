import { coreProblems, type Tx } from '@impact-hub/core';
import { tooManyEndpoints } from '../problems.ts';
import type { PartnerName } from '../verification/profile.ts';
import { countEndpoints } from './repository.ts';

/**
 * Every process holds every endpoint in memory, and tries the claims of a hint one after the other. Four leave room for
 * a production and a test system and the replacement of each.
 */
export const endpointLimits = { perCompany: 200, perHint: 4 };

/**
 * Refuses one endpoint too many. Creations of one company wait for each other until their transactions end.
 *
 * @throws ProblemError `impact_in.too_many_endpoints`, or `request.invalid` when the company has claimed the hint often enough
 */
export const refuseTooMany = async (
  tx: Tx,
  companyId: string,
  wanted: { partner: PartnerName; hint: string | null },
): Promise<void> => {
  const { all, withHint } = await countEndpoints(tx, companyId, wanted);
  if (all >= endpointLimits.perCompany)
    throw tooManyEndpoints({
      detail: `A company can have ${endpointLimits.perCompany} endpoints, paused ones included.`,
    });
  refuseHint(wanted.partner, withHint);
};

/** @throws ProblemError `request.invalid` when the company has claimed the hint often enough */
export const refuseHintTooOften = async (
  tx: Tx,
  companyId: string,
  wanted: { partner: PartnerName; hint: string },
): Promise<void> => refuseHint(wanted.partner, (await countEndpoints(tx, companyId, wanted)).withHint);

const refuseHint = (partner: PartnerName, withHint: number): void => {
  if (withHint < endpointLimits.perHint) return;
  throw coreProblems.requestInvalid({
    detail: `The company has ${withHint} endpoints of ${partner} with this hint already.`,
    errors: [
      {
        pointer: '/body/hint',
        detail: `At most ${endpointLimits.perHint} endpoints can share a hint. Use one of them, or leave the hint out and have the partner send to the address with the endpoint's id.`,
      },
    ],
  });
};
