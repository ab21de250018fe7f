import { apiKeyInText, holdsApiKey, lineInput, pageQuery } from '@impact-hub/core';
import { z } from 'zod';
import { roles } from './roles.ts';

const email = z
  .string()
  .trim()
  .max(254, 'Must have at most 254 characters.')
  .refine((text) => !holdsApiKey(text), apiKeyInText)
  .pipe(z.email('Must be an e-mail address.'))
  .transform((text) => text.toLowerCase());
/** NIST SP 800-63B-4 §3.1.1: length is what counts; the upper bound keeps hashing cheap. */
const newPassword = z
  .string()
  .min(12, 'Must have at least 12 characters.')
  .max(128, 'Must have at most 128 characters.');
const presentedPassword = z.string().min(1, 'Must not be empty.').max(128);
const role = z.enum(roles);

export const signInBody = z.strictObject({ email, password: presentedPassword });
export const secondFactorBody = z.strictObject({
  code: z.string().trim().min(6).max(20).describe('Six digits of the authenticator app, or a backup code.'),
});
export const totpCodeBody = z.strictObject({ code: z.string().regex(/^\d{6}$/, 'Must be six digits.') });
export const passwordBody = z.strictObject({ password: presentedPassword });
export const acceptInvitationBody = z.strictObject({
  token: z.string().min(20).max(100),
  password: newPassword.describe('A new password; for an address known to the hub, the present one.'),
});
export const sessionParams = z.strictObject({ sessionId: z.uuid('Must be the id of a session.') });
export const personParams = z.strictObject({ personId: z.uuid('Must be the id of a person.') });
export const invitationParams = z.strictObject({ invitationId: z.uuid('Must be the id of an invitation.') });
export const releaseAddressBody = z.strictObject({ email });
export const inviteBody = z.strictObject({ email, name: lineInput(200), role });
export const changePersonBody = z
  .strictObject({ role: role.optional(), disabled: z.boolean().optional() })
  .refine((change) => change.role !== undefined || change.disabled !== undefined, 'Give `role`, `disabled` or both.');
export const createCompanyBody = z.strictObject({
  name: lineInput(200),
  administrator: z.strictObject({ email, name: lineInput(200) }),
});
export const listPeopleQuery = z.strictObject(pageQuery);

const personView = z.object({ id: z.uuid(), email: z.string(), name: z.string() });
const companyOfPerson = z.object({ companyId: z.uuid(), companyName: z.string(), role });

export const signedInView = z.object({ person: personView, companies: z.array(companyOfPerson) });
export const secondFactorView = z.object({ secondFactor: z.literal('totp') });
export const currentSessionView = z.object({
  person: z.object({ id: z.uuid(), email: z.string() }),
  sessionId: z.uuid(),
  companyId: z.uuid().describe('The company of this request; chosen by `X-Company-Id`.'),
  role,
  scopes: z.array(z.string()),
  companies: z.array(companyOfPerson),
});
export const sessionsView = z.object({
  data: z.array(
    z.object({
      id: z.uuid(),
      isCurrent: z.boolean(),
      createdAt: z.date(),
      expiresAt: z.date(),
      ipAddress: z.string().nullable(),
      userAgent: z.string().nullable(),
    }),
  ),
});
export const endedView = z.object({ ended: z.int() });
export const totpStartedView = z.object({ totpUri: z.string(), backupCodes: z.array(z.string()) });
export const oidcView = z.object({ url: z.string() });
export const invitationView = z.object({
  invitationId: z.uuid(),
  email: z.string(),
  name: z.string(),
  role,
  token: z.string().describe('For the link to the console; shown this once.'),
  expiresAt: z.date(),
});
const listedInvitationView = z.object({
  id: z.uuid(),
  email: z.string(),
  name: z.string(),
  role,
  invitedBy: z.string().describe('`person:`, `api_key:` or `system:` and the id.'),
  createdAt: z.date(),
  expiresAt: z.date(),
  acceptedAt: z.date().nullable(),
  withdrawnAt: z.date().nullable(),
});
export const invitationPage = z.object({ data: z.array(listedInvitationView), nextCursor: z.string().nullable() });
export const acceptedView = z.object({
  email: z.string(),
  company: z.object({ id: z.uuid(), name: z.string() }),
  role,
});
export const memberView = z.object({
  id: z.uuid(),
  email: z.string(),
  name: z.string(),
  role,
  twoFactorEnabled: z.boolean(),
  joinedAt: z.date(),
  disabledAt: z.date().nullable(),
});
export const memberPage = z.object({ data: z.array(memberView), nextCursor: z.string().nullable() });
export const companyView = z.object({ id: z.uuid(), name: z.string(), createdAt: z.date() });
export const createdCompanyView = companyView.extend({ invitation: invitationView });
export const nothing = z.undefined();
