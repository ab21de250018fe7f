import pino, { type DestinationStream, type Logger as PinoLogger } from 'pino';
import { redactFields, redactText } from './redact.ts';

export type Logger = PinoLogger;

/** Drizzle writes the parameters of a failed query, which may be personal data, into message and stack. */
const queryParameters = /\nparams:[\s\S]*?(?=\n\s+at |: |$)/g;

const withoutSecrets = (text: string): string => redactText(text.replaceAll(queryParameters, ''));

const serializeError = (error: unknown) => {
  const serialized = pino.stdSerializers.err(error as Error);
  if (typeof serialized !== 'object' || serialized === null) return serialized;
  return {
    type: serialized.type,
    message: withoutSecrets(serialized.message),
    stack: withoutSecrets(serialized.stack),
    ...('code' in serialized ? { code: serialized['code'] } : {}),
  };
};

/**
 * The hub's logger: one JSON line per event. Secrets are removed by field name and, in errors, by shape. Error
 * objects are reduced to type, message, stack and code, because drivers hang queries and parameters on them.
 *
 * Fields are redacted by a walk of our own: pino's `redact` with the same names as wildcard paths took 20 µs a line,
 * a quarter of the CPU of an acknowledged webhook.
 */
export const createLogger = (options: { level: string; name?: string }, destination?: DestinationStream): Logger =>
  pino(
    {
      level: options.level,
      base: options.name === undefined ? null : { name: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: (fields) => redactFields(fields) },
      serializers: { err: serializeError },
    },
    destination ?? pino.destination({ sync: false, minLength: 4_096, periodicFlush: 500 }),
  );
