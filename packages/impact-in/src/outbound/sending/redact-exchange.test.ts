import { expect, test } from 'vitest';
import { createRedactor } from './redact-exchange.ts';

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
