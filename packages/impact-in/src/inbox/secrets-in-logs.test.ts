import { createLogger } from '@impact-hub/core';
import { expect, test } from 'vitest';
import { useTestHub } from '../test-hub.ts';
import { schemeNames } from '../verification/profile.ts';
import { credentialOf, inputOf, openOther, requestFor, send } from './test-schemes.ts';

const hub = await useTestHub();

test.each(schemeNames)('%s: neither log nor answer holds what proves who sends', async (scheme) => {
  let written = '';
  const log = createLogger({ level: 'trace' }, { write: (line: string) => void (written += line) });
  const other = await openOther(hub, {}, log);
  const endpoint = await hub.addEndpoint(await hub.addCompany(), inputOf[scheme]);
  await other.impactIn.deps.endpoints.reload(endpoint.id);
  const request = await requestFor(hub, endpoint, `logged ${scheme}`);
  const answers = [
    await send(other, request),
    await send(other, { ...request, headers: { 'Content-Type': 'application/json' } }),
    await send(other, { ...request, url: `${request.url}${request.url.includes('?') ? '&' : '?'}token=twice` }),
    await send(other, { ...request, url: request.url.replace(endpoint.id, 'nonsense') }),
  ];
  await other.close();
  expect(written).toContain('http.request');
  const credentials = Object.entries(endpoint.credentials).filter(([name]) => !['clientId', 'username'].includes(name));
  const secrets = [
    ...credentials.flatMap(([, value]) => (typeof value === 'string' ? [value] : [])),
    ...(scheme === 'custom-hmac' ? [] : [await credentialOf(hub, endpoint)]),
    request.headers['Authorization'] ?? request.headers['X-Webhook-Token'] ?? endpoint.secret,
  ];
  const seen = [written, ...answers.flatMap(({ body, headers }) => [body, JSON.stringify(headers)])].join('\n');
  for (const secret of secrets) expect(seen).not.toContain(secret);
});
