import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { createEndpoint, makeEvent, signRequest, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestHub, type TestHub } from './support/test-hub.ts';

type Target = { partner: PartnerName; scheme: SchemeName; id: string; secret: string };
type Header = [name: string, value: string];

const schemes: readonly [PartnerName, SchemeName][] = [
  ['benevity', 'benevity-hmac'],
  ['goodera', 'goodera-hmac'],
  ['workday', 'workday-hmac'],
];
const by = { actor: { kind: 'system', id: 'test' } } as const;

let hub: TestHub;
let port: number;
/** One endpoint per scheme for each of two companies. */
const targets: Record<'a' | 'b', Target[]> = { a: [], b: [] };

beforeAll(async () => {
  hub = await createTestHub();
  await hub.server.listen({ host: '127.0.0.1', port: 0 });
  port = (hub.server.server.address() as { port: number }).port;
  for (const name of ['a', 'b'] as const) {
    const companyId = await hub.company();
    for (const [partner, scheme] of schemes) {
      const { endpoint, credentials } = await hub.hub.db.company(companyId, (tx) =>
        createEndpoint(tx, hub.hub.impactIn.deps, by, { partner, scheme, name: scheme }),
      );
      if (!('secret' in credentials)) throw new Error('expected a secret');
      targets[name].push({ partner, scheme, id: endpoint.id, secret: credentials.secret });
    }
  }
  // The change feed carries new endpoints to the receiver some milliseconds after their commit.
  const last = targets.b.at(-1) as Target;
  while ((await send(last, sign(last, 'warm-up'))).status !== 200) await pause(20);
});
afterAll(() => hub.close());

const sign = (target: Target, seed: string, change: { nowMs?: number; body?: Buffer } = {}) => {
  const nowMs = change.nowMs ?? Date.now();
  const event = makeEvent(target.partner, { seed, nowMs });
  const body = change.body ?? event.body;
  const { headers } = signRequest({ scheme: target.scheme, secret: target.secret, body, nowMs });
  return { headers: Object.entries(headers) as Header[], body };
};

/** Sends exactly these bytes: an HTTP client would tidy up what has to stay untidy here. */
const send = (
  target: Pick<Target, 'partner' | 'id'>,
  request: { headers: readonly Header[]; body: Buffer },
  path = `/webhooks/${target.partner}/${target.id}`,
): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: hub.test',
      'Connection: close',
      `Content-Length: ${request.body.length}`,
      ...request.headers.map(([name, value]) => `${name}: ${value}`),
    ].join('\r\n');
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), request.body]));
    });
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString('latin1')));
    socket.on('error', (error) => (answer === '' ? reject(error) : undefined));
    socket.on('close', () =>
      resolve({ status: Number(answer.slice(9, 12)), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) }),
    );
  });

const refusedAlike = (answer: { status: number; body: string }): void => {
  const { requestId: _id, instance: _path, ...rest } = JSON.parse(answer.body) as Record<string, unknown>;
  expect({ httpStatus: answer.status, ...rest }).toEqual({
    httpStatus: 401,
    type: '/docs/problems#impact_in.not_authentic',
    title: expect.any(String),
    remedy: expect.any(String),
    status: 401,
    code: 'impact_in.not_authentic',
  });
};

const stored = async (): Promise<number> => {
  const [row] = await hub.database.owner<{ n: number }[]>`
    select count(*)::int as n from impact_in_receipt where outcome in ('accepted', 'quarantined')`;
  return row?.n ?? 0;
};

describe.each(schemes.map(([, scheme], index) => [scheme, index] as const))('%s', (scheme, index) => {
  const mine = (): Target => targets.a[index] as Target;

  test('takes a correctly signed event, once', async () => {
    const request = sign(mine(), `once/${scheme}`);
    const [first, second] = [await send(mine(), request), await send(mine(), request)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(JSON.parse(second.body)).toEqual({ ...(JSON.parse(first.body) as object), duplicate: true });
  });

  test('refuses every change of one byte in body or signature, and stores nothing of it', async () => {
    const before = await stored();
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 1, max: 255 }), fc.string(), async (position, mask, seed) => {
        const request = sign(mine(), seed);
        const body = Buffer.from(request.body);
        const at = position % body.length;
        body.writeUInt8(body.readUInt8(at) ^ mask, at);
        refusedAlike(await send(mine(), { ...request, body }));
      }),
      { numRuns: 60 },
    );
    expect(await stored()).toBe(before);
  });

  test("refuses another company's and another partner's valid request", async () => {
    for (const target of [...targets.b, ...targets.a.filter((other) => other !== mine())]) {
      const request = sign(target, `replayed/${target.scheme}`);
      refusedAlike(await send(mine(), request));
      refusedAlike(await send({ partner: mine().partner, id: target.id }, sign(mine(), 'crossed')));
    }
  });

  test.each([
    ['299 s ago', -299_000, 200],
    ['302 s ago', -302_000, 401],
    ['298 s ahead', 298_000, 200],
    ['303 s ahead', 303_000, 401],
    ['a year ahead', 31_536_000_000, 401],
  ])('holds the tolerance both ways: %s', async (when, offsetMs, status) => {
    const answer = await send(mine(), sign(mine(), `${scheme}/${when}`, { nowMs: Date.now() + offsetMs }));
    expect(answer.status).toBe(status);
  });

  test('refuses security headers that appear twice, even when both are right', async () => {
    const request = sign(mine(), 'twice');
    for (const header of request.headers.filter(([name]) => name.toLowerCase().startsWith('x-')))
      refusedAlike(await send(mine(), { ...request, headers: [...request.headers, header] }));
  });

  test('refuses a request without any one of its security headers', async () => {
    const request = sign(mine(), 'without');
    for (const left of request.headers.filter(([name]) => name.toLowerCase().startsWith('x-')))
      refusedAlike(await send(mine(), { ...request, headers: request.headers.filter((header) => header !== left) }));
  });

  test('refuses any Content-Encoding with 415: nobody agreed on which bytes are signed', async () => {
    const request = sign(mine(), 'encoded');
    for (const encoding of ['gzip', 'br', 'deflate', 'x-unknown']) {
      const headers: Header[] = [...request.headers, ['Content-Encoding', encoding]];
      expect((await send(mine(), { ...request, headers })).status).toBe(415);
    }
  });

  test.each([
    'text/plain',
    'application/xml',
    'multipart/form-data; boundary=x',
    'nonsense',
    'application/json; charset=utf-16',
  ])('verifies the bytes whatever the content type says: %s', async (type) => {
    const request = sign(mine(), `${scheme}/${type}`);
    const headers = request.headers.map(([name, value]): Header => [name, name === 'Content-Type' ? type : value]);
    expect((await send(mine(), { ...request, headers })).status).toBe(200);
  });

  test('keeps authentic bytes that are not UTF-8, JSON or known, and says so with 202', async () => {
    for (const body of [
      Buffer.from([0xff, 0xfe, 0x00, 0x80]),
      Buffer.from('{"a":'),
      Buffer.from('[]'),
      Buffer.from('{"x":"\\u0000"}'),
      Buffer.alloc(0),
    ])
      expect((await send(mine(), sign(mine(), 'odd', { body }))).status).toBe(202);
  });

  test('refuses a body over the limit with 413, signed or not', async () => {
    const body = Buffer.alloc(1_200_000, 'x');
    const answer = await send(mine(), sign(mine(), 'large', { body }));
    expect(answer.status).toBe(413);
  });

  test('answers an unknown endpoint and the wrong partner like a wrong signature', async () => {
    const request = sign(mine(), 'nowhere');
    refusedAlike(await send({ partner: mine().partner, id: '018f3b1e-7c8a-7000-8000-000000000009' }, request));
    const otherPartner = schemes[(index + 1) % schemes.length]?.[0] ?? 'benevity';
    refusedAlike(await send({ partner: otherPartner, id: mine().id }, request));
  });

  test('survives arbitrary header values without accepting or failing', async () => {
    const request = sign(mine(), 'headers');
    const value = fc.string({
      unit: fc
        .integer({ min: 0x20, max: 0xff })
        .filter((code) => code !== 0x7f)
        .map((code) => String.fromCharCode(code)),
      maxLength: 300,
    });
    await fc.assert(
      fc.asyncProperty(fc.nat(2), value, async (which, text) => {
        const target = request.headers.filter(([name]) => name.toLowerCase().startsWith('x-'))[which];
        const headers = request.headers.map((header): Header => (header === target ? [header[0], text] : header));
        const answer = await send(mine(), { ...request, headers });
        expect(target === undefined ? [200] : [401]).toContain(answer.status);
      }),
      { numRuns: 60 },
    );
  });
});

test('upper-case hex denotes the same bytes; unpadded or url-safe base64 is refused', async () => {
  const [benevity, , workday] = targets.a as [Target, Target, Target];
  const hex = sign(benevity, 'upper');
  const upper = hex.headers.map(([name, value]): Header => [
    name,
    value.replace(/v1=(\w+)/, (_, digits: string) => `v1=${digits.toUpperCase()}`),
  ]);
  expect((await send(benevity, { ...hex, headers: upper })).status).toBe(200);
  for (const change of [
    (text: string) => text.replace(/=+$/, ''),
    (text: string) => text.replaceAll('+', '-').replaceAll('/', '_').replace(/=$/, ''),
  ]) {
    const request = sign(workday, 'base64');
    const headers = request.headers.map(([name, value]): Header => [
      name,
      name === 'X-Workday-Signature' ? change(value) : value,
    ]);
    refusedAlike(await send(workday, { ...request, headers }));
  }
});

test('the bare address of a partner that names no account gives the same 401', async () => {
  const workday = targets.a[2] as Target;
  refusedAlike(await send(workday, sign(workday, 'bare'), '/webhooks/workday'));
});
