import type { AccountsDeps } from './deps.ts';

const limitRowsKeptMs = 86_400_000;

/** Deletes ended sessions, spent challenges and old counters; nothing reads them any more. */
export const removeExpired = async ({ db, clock }: AccountsDeps): Promise<void> => {
  const now = clock.now();
  await db.systemSql`delete from session where expires_at <= ${now}`;
  await db.systemSql`delete from sign_in_verification where expires_at <= ${now}`;
  await db.systemSql`
    delete from sign_in_limit where window_started_at <= ${new Date(now.getTime() - limitRowsKeptMs)}`;
};
