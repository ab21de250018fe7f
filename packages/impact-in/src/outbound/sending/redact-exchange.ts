import { redactText } from '@impact-hub/core';
import type { OpenConnection } from '../connections/open-connection.ts';
import { personalFields, type OutboundEvent } from '../impact-event.ts';
import { bodyOf } from './build-request.ts';
import type { HttpAnswer, HttpCall } from './http-client.ts';
import { isFields, type Fields } from './read-answer.ts';

const removed = '[removed]';
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

/** Every way in which a partner may repeat a text. */
const writtenForms = (text: string): string[] => [
  text,
  JSON.stringify(text).slice(1, -1),
  encodeURIComponent(text),
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
];

const mailAddress = /[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+/g;

/** Shorter texts say little, and removing them would remove everything. */
const minSecretCharacters = 3;

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
  const secrets = [...Object.values(connection.credentials), accessToken ?? ''];
  const personal = events.flatMap((event) => personalFields.map((field) => event[field] ?? ''));
  const texts = [...secrets, ...personal].filter((text) => text.length >= minSecretCharacters).flatMap(writtenForms);
  // The longest first: one may be part of another.
  const forms = [...new Set(texts)].toSorted((a, b) => b.length - a.length);
  return (text) =>
    redactText(forms.reduce((left, form) => left.replaceAll(form, removed), text)).replaceAll(mailAddress, removed);
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

/** @param own the part of the answer that is about this event, if it could be read */
export const redactExchange = (
  connection: OpenConnection,
  event: OutboundEvent,
  exchange: { call: HttpCall; answer: HttpAnswer | null; own: Fields | null; redact(text: string): string },
): Exchange => {
  const { call, answer, own, redact } = exchange;
  const masked = { ...connection, credentials: { username: removed, password: removed } };
  return {
    request: {
      method: call.method,
      url: call.url,
      headers: keep(call.headers, keptRequestHeaders, redact),
      body: cut(redact(bodyOf(masked, [maskEvent(event)]))),
    },
    response:
      answer === null
        ? null
        : {
            status: answer.status,
            headers: keep(answer.headers, keptResponseHeaders, redact),
            body: cut(
              redact(own === null ? answer.body.slice(0, 4 * maxBodyCharacters) : JSON.stringify(maskFields(own))),
            ),
          },
  };
};
