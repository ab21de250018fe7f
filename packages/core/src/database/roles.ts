import type { ReservedSql, Sql } from 'postgres';

/** Group roles that hold the grants; logins are members. Neither owns a table nor bypasses row-level security. */
const groupRoles = ['hub_runtime', 'hub_system'] as const;

const ignoreAlreadyThere = (error: unknown): void => {
  const code = (error as { code?: string }).code;
  // 42710/23505: a migrator of another database in the same cluster was faster; roles are cluster-wide.
  if (code !== '42710' && code !== '23505') throw error;
};

/** Creates the cluster-wide group roles when they are missing. */
export const ensureGroupRoles = async (sql: ReservedSql): Promise<void> => {
  for (const role of groupRoles) {
    const existing = await sql`select 1 from pg_roles where rolname = ${role}`;
    if (existing.length > 0) continue;
    await sql
      .unsafe(`create role ${role} nologin nosuperuser nobypassrls nocreatedb nocreaterole`)
      .catch(ignoreAlreadyThere);
  }
};

const quoteIdentifier = (name: string): string => `"${name.replaceAll('"', '""')}"`;
const quoteLiteral = (text: string): string => `'${text.replaceAll("'", "''")}'`;

/**
 * Creates or updates one login that is a member of a group role. The password is set only when `canSignIn` says that
 * the present one does not work, so that hubs starting side by side do not fight over the row.
 *
 * @throws Error of postgres.js when the owner may not create roles; set the two role URLs yourself in that case
 */
export const ensureLogin = async (
  owner: Sql,
  login: { name: string; password: string; memberOf: (typeof groupRoles)[number] },
  canSignIn: () => Promise<boolean>,
): Promise<void> => {
  const name = quoteIdentifier(login.name);
  const existing = await owner`select 1 from pg_roles where rolname = ${login.name}`;
  if (existing.length > 0 && (await canSignIn())) return;
  if (existing.length === 0)
    await owner
      .unsafe(`create role ${name} login nosuperuser nobypassrls inherit in role ${login.memberOf}`)
      .catch(ignoreAlreadyThere);
  await owner.unsafe(`alter role ${name} password ${quoteLiteral(login.password)}`);
};
