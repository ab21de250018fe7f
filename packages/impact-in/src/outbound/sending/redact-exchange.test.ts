import { expect, test } from 'vitest';
import { partnerApis } from '../partner-apis.ts';
import { createRedactor, redactExchange } from './redact-exchange.ts';

const event = {
  deliveryId: 'd',
  transactionId: 't',
  eventType: 'impact.recorded',
  activity: 'Reading',
  occurredAt: '2026-03-01T12:00:00.000Z',
  participantId: 'Ada "the first" <Lovelace>',
  description: 'with Grace & others',
};

test('secrets and personal data are taken out in every form they may be written in', () => {
  const redact = createRedactor({ credentials: { apiKey: 'k3y-secret', clientSecret: 'a&b<c' } }, [event], 'tok.en');
  const echoes = [
    'k3y-secret',
    'a&b<c',
    'a&amp;b&lt;c',
    encodeURIComponent('a&b<c'),
    'Bearer tok.en',
    event.participantId,
    JSON.stringify(event.participantId),
    encodeURIComponent(event.participantId),
    'with Grace &amp; others',
    'ada@example.org is unknown',
  ];
  for (const echo of echoes) {
    const redacted = redact(`before ${echo} after`);
    expect(redacted).toContain('[removed]');
    for (const part of ['k3y', 'a&b', 'tok.en', 'Ada', 'Lovelace', 'Grace', 'ada@'])
      expect(redacted).not.toContain(part);
  }
  expect(redact('Reading t impact.recorded')).toBe('Reading t impact.recorded');
});

test('a long answer full of what looks like mail addresses takes no longer than it is long', () => {
  const redact = createRedactor({ credentials: {} }, [], null);
  const text = `${'a'.repeat(200_000)}@${'b.'.repeat(50_000)}`;
  expect(redact(text).length).toBeLessThanOrEqual(text.length);
});

/** What the log keeps of the answer to one event. */
const keptOf = (fields: Record<string, unknown>): string => {
  const connection = {
    id: 'c',
    companyId: 'co',
    baseUrl: 'https://api.example.org',
    tenant: null,
    revision: 1,
    apiName: 'benevity',
    api: partnerApis.benevity,
    credentials: { apiKey: 'k3y-secret', signingSecret: 's1gning-secret' },
  } as const;
  const call = { method: 'POST', url: 'https://api.example.org/', headers: {}, body: '{}' } as const;
  const answer = { status: 200, headers: {}, body: JSON.stringify(fields) };
  const redact = createRedactor(connection, [event], null);
  return redactExchange(connection, event, { call, answer, own: fields, redact }).response?.body ?? '';
};

test('fields about people are masked by their names, figures about workers are not', () => {
  const kept = keptOf({ workerId: 'w1', worker_count: 7, count_of_workers: 'w2', firstName: 'A', Authorization: 'x' });
  expect(JSON.parse(kept)).toEqual({
    workerId: '[removed]',
    worker_count: 7,
    count_of_workers: '[removed]',
    firstName: '[removed]',
    Authorization: '[removed]',
  });
});

test('a long name of a field takes no longer to judge than it is long', () => {
  const kept = keptOf({ status: 'success', [`${'worker'.repeat(300_000)}count`]: 1 });
  expect(kept.length).toBeLessThan(20_000);
});
