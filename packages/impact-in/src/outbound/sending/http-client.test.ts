import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHttpClient, httpClientDefaults } from './http-client.ts';

/** A partner that answers no question about `/hang`. */
const partner = createServer((request, response) => void (request.url === '/hang' || response.end('{}')));
const http = createHttpClient({ ...httpClientDefaults, allowPrivateAddresses: true, timeoutMs: 5_000 });
beforeAll(() => new Promise<void>((resolve) => void partner.listen(0, '127.0.0.1', resolve)));
afterAll(async () => {
  await http.close();
  partner.closeAllConnections();
  partner.close();
});

test('calls of others that hang do not keep one to the same host from being made', async () => {
  const url = `http://127.0.0.1:${(partner.address() as AddressInfo).port}`;
  const abort = new AbortController();
  const hanging = Array.from({ length: 40 }, () =>
    http.call({ method: 'GET', url: `${url}/hang`, headers: {} }, abort.signal),
  );
  const ended = Promise.allSettled(hanging);
  expect(await http.call({ method: 'GET', url: `${url}/other`, headers: {} })).toMatchObject({ status: 200 });
  abort.abort();
  await ended;
});
