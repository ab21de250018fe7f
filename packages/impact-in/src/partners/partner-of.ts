import type { PartnerName } from '../verification/profile.ts';
import { benevity } from './benevity.ts';
import { goodera } from './goodera.ts';
import type { Partner } from './partner.ts';
import { workday } from './workday.ts';

export const partnerOf: Record<PartnerName, Partner> = { benevity, goodera, workday };
