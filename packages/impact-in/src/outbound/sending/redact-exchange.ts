import { redactText } from '@impact-hub/core';
import type { Credentials } from '../connections/credentials.ts';
import type { OpenConnection } from '../connections/open-connection.ts';
import { personalFields, type OutboundEvent } from '../impact-event.ts';
import { basicPair } from './access-tokens.ts';
import { bodyOf } from './build-request.ts';
import { createEraser, removed } from './erase-texts.ts';
import type { HttpAnswer, HttpCall } from './http-client.ts';
import { isFields, maxTextCharacters, type Fields } from './read-answer.ts';
import { base64Forms, writtenForms } from './written-forms.ts';

const maxBodyCharacters = 16_384;

/** What an attempt's log keeps of the call: enough to discuss it with the partner, no secrets, nothing about people. */
export type Exchange = {
  request: { method: string; url: string; headers: Record<string, string>; body: string };
  response: { status: number; headers: Record<string, string>; body: string } | null;
};

const keptRequestHeaders = /^(?:accept|content-type|user-agent|soapaction|x-api-version|(?:x-)?idempotency-key)$/i;
const keptResponseHeaders =
  /^(?:content-type|date|retry-after|(?:x-)?request-id|x-correlation-id|x-ratelimit-[a-z]+|location)$/i;

const keep = (
  headers: Readonly<Record<string, string>>,
  kept: RegExp,
  redact: (text: string) => string,
): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers)
      .filter(([name]) => kept.test(name))
      .map(([name, value]) => [name.toLowerCase(), redact(value).slice(0, 500)]),
  );

const cut = (text: string): string =>
  text.length <= maxBodyCharacters ? text : `${text.slice(0, maxBodyCharacters)}… (${text.length} characters)`;

const mailAddress = /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g;

/** Headers that name the caller; small words after them, as in "Bearer authentication is needed", are no secrets. */
const authorization = /\b(basic|bearer|BASIC|BEARER|Basic|Bearer)\s{1,8}(?=[a-z+/._~-]*[0-9A-Z])[\w+/.~-]{8,}=*/g;

/** What the client names itself by, as `access-tokens.ts` sends it and as others would. */
const pairsOf = ({ clientId = '', clientSecret = '', username = '', password = '' }: Credentials): string[] => [
  basicPair(clientId, clientSecret),
  `${clientId}:${clientSecret}`,
  `${username}:${password}`,
];

/**
 * Makes the function that takes out of texts whatever the call contained of secrets and personal data.
 *
 * @param accessToken as used for the call
 */
export const createRedactor = (
  connection: Pick<OpenConnection, 'credentials'>,
  events: readonly OutboundEvent[],
  accessToken: string | null,
): ((text: string) => string) => {
  const secrets = [...Object.values(connection.credentials), accessToken ?? ''].filter((text) => text !== '');
  const personal = events.flatMap((event) => personalFields.flatMap((field) => event[field] ?? []));
  const encoded = [...secrets, ...pairsOf(connection.credentials)].filter((text) => text.length >= 3);
  const texts = [...[...secrets, ...personal].flatMap(writtenForms), ...encoded.flatMap(base64Forms)];
  const erase = createEraser(texts, maxTextCharacters);
  return (text) => redactText(erase(text)).replaceAll(authorization, `$1 ${removed}`).replaceAll(mailAddress, removed);
};

const nameOfPersonal =
  /participant|e-?mail|phone|first_?name|last_?name|full_?name|birth|address|token|secret|password|authorization/i;

/** By its name; without a pattern that looks ahead, because partners may write names as long as an answer. */
const isPersonal = (name: string): boolean => {
  const lower = name.toLowerCase();
  // A number of workers tells nothing about one.
  return nameOfPersonal.test(name) || lower.lastIndexOf('worker') > lower.lastIndexOf('count');
};

const maskFields = (value: unknown, depth = 0): unknown => {
  if (depth > 8) return removed;
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => maskFields(item, depth + 1));
  if (!isFields(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name,
      isPersonal(name) && inner !== null ? removed : maskFields(inner, depth + 1),
    ]),
  );
};

const maskEvent = (event: OutboundEvent): OutboundEvent => ({
  ...event,
  ...Object.fromEntries(personalFields.filter((field) => event[field] !== undefined).map((field) => [field, removed])),
});

/** What the log keeps of the request for one event. */
export const redactRequest = (
  connection: OpenConnection,
  event: OutboundEvent,
  { method, url, headers }: HttpCall,
  redact: (text: string) => string,
): Exchange['request'] => {
  const masked = { ...connection, credentials: { username: removed, password: removed } };
  const body = cut(redact(bodyOf(masked, [maskEvent(event)])));
  return { method, url, headers: keep(headers, keptRequestHeaders, redact), body };
};

/**
 * Makes the function that says what the log keeps of an answer, or of the part of it that is about one event. What
 * events share is redacted once: a hundred may share a quarter of a megabyte.
 */
export const createAnswerRedactor = (
  { status, headers, body }: HttpAnswer,
  redact: (text: string) => string,
): ((own: Fields | null) => Exchange['response']) => {
  const kept = keep(headers, keptResponseHeaders, redact);
  const known = new Map<Fields | null, Exchange['response']>();
  return (own) => {
    let response = known.get(own);
    if (response === undefined) {
      const text = own === null ? body : JSON.stringify(maskFields(own));
      response = { status, headers: kept, body: cut(redact(text.slice(0, 4 * maxBodyCharacters))) };
      known.set(own, response);
    }
    return response;
  };
};
