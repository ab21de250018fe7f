import { hash } from 'node:crypto';
import type { drizzleAdapter } from 'better-auth/adapters/drizzle';

type AdapterFactory = ReturnType<typeof drizzleAdapter>;
type Adapter = ReturnType<AdapterFactory>;
type Where = NonNullable<Parameters<Adapter['findMany']>[0]['where']>;
type SessionRow = { token?: string };

/** What is stored of a session token: SHA-256, which is enough for 190 random bits. */
export const hashSessionToken = (token: string): string => hash('sha256', token, 'base64url');

/** Replaces tokens in a condition by their hashes and remembers which is which. */
const hashWhere = (where: Where): { where: Where; plain: Map<string, string> } => {
  const plain = new Map<string, string>();
  const hashed = (value: unknown): unknown => {
    if (typeof value !== 'string') return value;
    const digest = hashSessionToken(value);
    plain.set(digest, value);
    return digest;
  };
  return {
    plain,
    where: where.map((clause) =>
      clause.field === 'token'
        ? {
            ...clause,
            value: (Array.isArray(clause.value)
              ? clause.value.map(hashed)
              : hashed(clause.value)) as typeof clause.value,
          }
        : clause,
    ),
  };
};

const restore = <T>(row: T, plain: Map<string, string>): T => {
  const token = (row as SessionRow | null)?.token;
  return token === undefined ? row : { ...row, token: plain.get(token) ?? token };
};

const wrap = <A extends Omit<Adapter, 'transaction'>>(inner: A): A => {
  const isSession = (args: { model: string }): boolean => args.model === 'session';
  const hashedArgs = <T extends { where?: Where | undefined }>(args: T) => {
    const { where, plain } = hashWhere(args.where ?? []);
    return { plain, args: { ...args, where } };
  };
  const overrides: Partial<Omit<Adapter, 'transaction'>> = {
    create: async (args) => {
      if (!isSession(args)) return inner.create(args);
      const token = String((args.data as SessionRow).token);
      const row = await inner.create({ ...args, data: { ...args.data, token: hashSessionToken(token) } });
      return { ...row, token } as never;
    },
    findOne: async (args) => {
      if (!isSession(args)) return inner.findOne(args);
      const hashed = hashedArgs(args);
      return restore(await inner.findOne(hashed.args), hashed.plain) as never;
    },
    findMany: async (args) => {
      if (!isSession(args)) return inner.findMany(args);
      const hashed = hashedArgs(args);
      return (await inner.findMany(hashed.args)).map((row) => restore(row, hashed.plain)) as never;
    },
    update: async (args) => {
      if (!isSession(args)) return inner.update(args);
      const hashed = hashedArgs(args);
      return restore(await inner.update(hashed.args), hashed.plain) as never;
    },
    updateMany: (args) => inner.updateMany(isSession(args) ? hashedArgs(args).args : args),
    delete: (args) => inner.delete(isSession(args) ? hashedArgs(args).args : args),
    deleteMany: (args) => inner.deleteMany(isSession(args) ? hashedArgs(args).args : args),
    count: (args) => inner.count(isSession(args) ? hashedArgs(args).args : args),
  };
  return { ...inner, ...overrides };
};

/**
 * Puts a hash between better-auth, which stores session tokens as they are in the cookie, and the database, so that a
 * leaked table opens no session. better-auth goes on seeing the tokens it looked up or created itself.
 */
export const hashSessionTokens =
  (factory: AdapterFactory): AdapterFactory =>
  (options) => {
    const inner = factory(options);
    return { ...wrap(inner), transaction: (work) => inner.transaction((adapter) => work(wrap(adapter))) };
  };
