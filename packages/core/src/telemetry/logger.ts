import pino, { type DestinationStream, type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;

/** Names of fields whose value is never logged, wherever they sit up to two levels down. */
const secretNames = [
  'authorization',
  'cookie',
  '"set-cookie"',
  '"x-api-key"',
  'key',
  'apiKey',
  'secret',
  'clientSecret',
  'password',
  'token',
  'accessToken',
  'refreshToken',
];

const paths = secretNames.flatMap((name) => {
  const step = name.startsWith('"') ? `[${name}]` : `.${name}`;
  return [name.startsWith('"') ? `[${name}]` : name, `*${step}`, `*.*${step}`];
});

/** A presented API key anywhere in a text (SCOPE KEY-1), a connection URL's password, a webhook secret. */
const secretPatterns: readonly [RegExp, string][] = [
  [/teei_(live|test)_([0-9A-Za-z]{12})[0-9A-Za-z]{49}/g, 'teei_$1_$2…'],
  [/(\w+:\/\/[^:/\s]*):[^@/\s]+@/g, '$1:…@'],
  [/whsec_[0-9A-Za-z+/=_-]{16,}/g, 'whsec_…'],
];

/** Replaces what looks like a secret inside free text. */
export const redactText = (text: string): string =>
  secretPatterns.reduce((redacted, [pattern, replacement]) => redacted.replace(pattern, replacement), text);

const serializeError = (error: unknown) => {
  const serialized = pino.stdSerializers.err(error as Error);
  if (typeof serialized !== 'object' || serialized === null) return serialized;
  return {
    type: serialized.type,
    message: redactText(serialized.message),
    stack: redactText(serialized.stack),
    ...('code' in serialized ? { code: serialized['code'] } : {}),
  };
};

/**
 * The hub's logger: one JSON line per event. Secrets are removed by field name and, in errors, by shape. Error
 * objects are reduced to type, message, stack and code, because drivers hang queries and parameters on them.
 */
export const createLogger = (options: { level: string; name?: string }, destination?: DestinationStream): Logger =>
  pino(
    {
      level: options.level,
      base: options.name === undefined ? null : { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths, censor: '[redacted]' },
      serializers: { err: serializeError },
    },
    destination ?? pino.destination({ sync: false, minLength: 4_096, periodicFlush: 500 }),
  );
