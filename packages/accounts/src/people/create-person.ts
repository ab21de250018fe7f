import { hashPassword } from 'better-auth/crypto';
import { recordAudit } from '@impact-hub/audit';
import { isUniqueViolation, newId, type Clock, type Tx } from '@impact-hub/core';
import type { ActedBy } from '../create-company.ts';
import { alreadyMember } from '../problems.ts';
import type { Role } from '../roles.ts';
import { membership, person, signInAccount } from '../tables.ts';

type NewPerson = {
  companyId: string;
  /** Compared without regard to case. */
  email: string;
  name: string;
  role: Role;
  /** Left out, the person can sign in through the identity provider only. */
  password?: string;
};

/** better-auth's name for accounts whose issuer is the application itself (`local:<provider id>`). */
const credentialProvider = { providerId: 'credential', issuer: 'local:credential' };

/** Gives a person a password of their own. @param tx a system transaction */
const setFirstPassword = async (tx: Tx, deps: { clock: Clock }, personId: string, password: string): Promise<void> => {
  const now = deps.clock.now();
  await tx.orm.insert(signInAccount).values({
    id: newId(),
    userId: personId,
    ...credentialProvider,
    accountId: personId,
    password: await hashPassword(password),
    createdAt: now,
    updatedAt: now,
  });
};

/** Makes an existing person a member. @param tx a system transaction @throws ProblemError `accounts.already_member` */
export const addMembership = async (
  tx: Tx,
  deps: { clock: Clock },
  by: ActedBy,
  input: { companyId: string; personId: string; role: Role },
): Promise<void> => {
  const now = deps.clock.now();
  try {
    await tx.orm.insert(membership).values({ ...input, createdAt: now, updatedAt: now });
  } catch (error) {
    if (isUniqueViolation(error instanceof Error ? (error.cause ?? error) : error)) throw alreadyMember();
    throw error;
  }
  await recordAudit(tx, {
    type: 'person.joined',
    category: 'admin',
    companyId: input.companyId,
    resource: { type: 'person', id: input.personId },
    metadata: { role: input.role },
    ...by,
  });
};

/**
 * Makes a person with a role in a company, for the first start and for invitations.
 * @param tx a system transaction: a person may belong to several companies
 */
export const createPerson = async (
  tx: Tx,
  deps: { clock: Clock },
  by: ActedBy,
  input: NewPerson,
): Promise<{ id: string; email: string; name: string; role: Role }> => {
  const now = deps.clock.now();
  const row = {
    id: newId(),
    email: input.email.toLowerCase(),
    name: input.name,
    emailVerified: false,
    twoFactorEnabled: false,
    createdAt: now,
    updatedAt: now,
  };
  await tx.orm.insert(person).values(row);
  if (input.password !== undefined) await setFirstPassword(tx, deps, row.id, input.password);
  await addMembership(tx, deps, by, { companyId: input.companyId, personId: row.id, role: input.role });
  return { id: row.id, email: row.email, name: row.name, role: input.role };
};
