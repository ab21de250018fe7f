import { createHmac, timingSafeEqual } from 'node:crypto';
import { symmetricDecrypt } from 'better-auth/crypto';
import type { AccountsDeps } from '../deps.ts';

/** RFC 6238 §4 and §5.2 with better-auth's defaults: SHA-1, 30 s, six digits. */
const stepMs = 30_000;
const codeCount = 1_000_000;

/** RFC 4226 §5.3. */
const codeAt = (secret: string, step: number): string => {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % codeCount).padStart(6, '0');
};

/**
 * Marks a right code as used before better-auth accepts it, which itself would take it again (RFC 6238 §5.2 forbids
 * that). A wrong code passes, for better-auth to refuse and to count.
 *
 * @param code six digits
 * @returns false when this code or a later one was used before
 */
export const spendTotpCode = async (deps: AccountsDeps, personId: string, code: string): Promise<boolean> => {
  const [factor] = await deps.db.systemSql<{ id: string; secret: string }[]>`
    select id, secret from two_factor where person_id = ${personId}`;
  if (factor === undefined) return true;
  const { secretConfig } = await deps.accounts.signIn.auth.$context;
  const secret = await symmetricDecrypt({ key: secretConfig, data: factor.secret });
  // The system's clock, because better-auth reads it; and one step more than the one to either side that it accepts,
  // because it looks a moment later.
  const present = Math.floor(Date.now() / stepMs);
  const step = [-1, 0, 1, 2]
    .map((ahead) => present + ahead)
    .find((candidate) => timingSafeEqual(Buffer.from(codeAt(secret, candidate)), Buffer.from(code)));
  if (step === undefined) return true;
  const spent = await deps.db.systemSql`
    update two_factor set last_accepted_step = ${step}
    where id = ${factor.id} and (last_accepted_step is null or last_accepted_step < ${step}) returning id`;
  return spent.length > 0;
};
