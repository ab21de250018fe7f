import { expect, test } from 'vitest';
import { createAnswerRedactor, createRedactor } from './redact-exchange.ts';

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

const hard = `p"a'ss <w>&rd/é+1`;
const asciiJson = JSON.stringify(hard).replaceAll('é', String.raw`\u00e9`);
test.each([
  ['XML', 'p&quot;a&apos;ss &lt;w&gt;&amp;rd/é+1'],
  ['XML, quotes as they are', `p"a'ss &lt;w&gt;&amp;rd/é+1`],
  ['HTML', 'p&#34;a&#39;ss &lt;w&gt;&amp;rd/é+1'],
  ['HTML in hexadecimal', 'p&quot;a&#x27;ss &lt;w&gt;&amp;rd/é+1'],
  ['a form', new URLSearchParams({ x: hard }).toString()],
  ['a URL in small letters', encodeURIComponent(hard).replaceAll(/%../g, (code) => code.toLowerCase())],
  ['JSON in ASCII', asciiJson],
  ['JSON with escaped slashes', asciiJson.replaceAll('/', String.raw`\/`)],
  ['base64', Buffer.from(hard).toString('base64')],
  ['base64 for URLs', Buffer.from(hard).toString('base64url')],
  ['base64 with the id', Buffer.from(`the-id:${hard}`).toString('base64')],
  ['the header of the token call', Buffer.from(`the-id:${encodeURIComponent(hard)}`).toString('base64')],
  ['any header of that kind', `Basic ${Buffer.from('a:somebody’s').toString('base64')}`],
  ['any token', 'Bearer abcdefgh1.x'],
])('a secret echoed as %s is taken out', (_form, echo) => {
  const redact = createRedactor({ credentials: { clientId: 'the-id', clientSecret: hard } }, [], null);
  expect(redact(`cannot parse «${echo}»!`)).toMatch(/^cannot parse «[^»]{0,9}\[removed\]"?=*»!$/);
});

test('words that only name the kind of a header stay', () => {
  const redact = createRedactor({ credentials: {} }, [], null);
  const text = 'Bearer authentication needed, Basic information: bearer realm="x"';
  expect(redact(text)).toBe(text);
});

test('a secret that was cut off with the text leaves nothing behind', () => {
  const redact = createRedactor({ credentials: { apiKey: 'k3y-secret-of-thirty-characters' } }, [], null);
  const said = 'x'.repeat(280);
  expect(redact(`${said}k3y-secret-of-thirty-characters`.slice(0, 300))).toBe(`${said}[removed]`);
});

test('secrets and personal data that overlap are taken out whole', () => {
  const redact = createRedactor({ credentials: { apiKey: 'abcdef' } }, [{ ...event, participantId: 'defghi' }], null);
  expect(redact('1 abcdefghi 2 abcdefabcdef 3')).toBe('1 [removed] 2 [removed] 3');
});

/** What the log keeps of the answer to one event. */
const keptOf = (fields: Record<string, unknown>): string => {
  const redact = createRedactor({ credentials: {} }, [event], null);
  return createAnswerRedactor({ status: 200, headers: {}, body: '' }, redact)(fields)?.body ?? '';
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

test('what the events of a call share is redacted once', () => {
  let characters = 0;
  const redact = (text: string): string => ((characters += text.length), text);
  const shared = { message: 'x'.repeat(200_000) };
  const respond = createAnswerRedactor({ status: 400, headers: {}, body: JSON.stringify(shared) }, redact);
  for (let n = 0; n < 100; n += 1) {
    expect(respond(shared)?.body).toContain('x'.repeat(3));
    expect(respond(null)?.body).toContain('x'.repeat(3));
  }
  expect(characters).toBeLessThan(200_000);
});
