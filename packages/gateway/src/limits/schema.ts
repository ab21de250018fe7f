import { z } from 'zod';

export const companyParams = z.strictObject({ companyId: z.uuid('Must be the id of a company.') });

const maxPerMinute = 1_000_000_000;

export const companyLimitBody = z.strictObject({
  requestsPerMinute: z
    .int('Must be a whole number or null.')
    .min(1, 'Must be at least 1.')
    .max(maxPerMinute, `Must be at most ${maxPerMinute}.`)
    .nullable()
    .describe('Null: the default of the installation.'),
});

export const companyLimitView = z.object({
  companyId: z.uuid(),
  requestsPerMinute: z.int().describe('What all keys and people of the company may send together in any 60 s.'),
  isDefault: z.boolean().describe('Whether it is the default of the installation.'),
});
export type CompanyLimitView = z.output<typeof companyLimitView>;
