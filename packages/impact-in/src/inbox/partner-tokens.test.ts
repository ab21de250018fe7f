import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, describe, expect, test } from 'vitest';
import { eventOf, useTestHub, type TestEndpoint, type TestHub } from '../test-hub.ts';
import { forgetTokenUses } from '../verification/token-uses.ts';
import { audience, issuer, newIssuer, tokenOf, type TokenIssuer } from '../verification/test-tokens.ts';
import { freshToken, inputOf, openOther, requestFor, send } from './test-schemes.ts';

const keySet = { keys: [] as unknown[], isUp: true, requests: 0, redirect: '' };
const keyServer = createServer((_request, response) => {
  keySet.requests += 1;
  if (keySet.redirect !== '') response.writeHead(302, { location: keySet.redirect }).end();
  else if (keySet.isUp) response.end(JSON.stringify({ keys: keySet.keys }));
  else response.destroy();
});
await new Promise<void>((resolve) => void keyServer.listen(0, '127.0.0.1', resolve));
afterAll(() => void keyServer.close());
const jwksUrl = `http://127.0.0.1:${(keyServer.address() as AddressInfo).port}/jwks`;
const hub = await useTestHub({ allowPrivateAddresses: true });
const companyId = await hub.addCompany();

let addresses = 0;
/** An endpoint with an address of its own, so that no other test has asked there. */
const addPublishing = (more: object = {}): Promise<TestEndpoint> => {
  const url = `${jwksUrl}/${(addresses += 1)}`;
  return hub.addEndpoint(companyId, {
    partner: 'workday',
    scheme: 'workday-jwt',
    jwt: { issuer, audience, jwksUrl: url, ...more },
  });
};

let events = 0;
const bodyOf = () => eventOf('workday', `token event ${(events += 1)}`).body;
const post = (endpoint: TestEndpoint, token: string, body: Buffer, to: Pick<TestHub, 'server'> = hub) =>
  send(to, {
    url: `/webhooks/workday/${endpoint.id}`,
    headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
    body,
  });

let tokens = 0;
const newToken = (from: TokenIssuer): string => tokenOf(from, { jti: `published ${(tokens += 1)}` }, {}, Date.now());

describe('a token', () => {
  test('vouches for one body, also in another process, and for the same bytes again', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    const [token, body] = [freshToken(), bodyOf()];
    expect((await post(endpoint, token, body)).statusCode).toBe(200);
    expect((await post(endpoint, token, bodyOf())).statusCode).toBe(401);
    const other = await openOther(hub);
    expect((await post(endpoint, token, bodyOf(), other)).statusCode).toBe(401);
    const again = await post(endpoint, token, body, other);
    expect([again.statusCode, again.json<{ duplicate?: boolean }>().duplicate]).toEqual([200, true]);
    await other.close();
  });

  test('presented with many bodies at the same moment is good for one of them', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    const token = freshToken();
    const other = await openOther(hub);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) => post(endpoint, token, bodyOf(), index % 2 === 0 ? hub : other)),
    );
    expect(answers.filter(({ statusCode }) => statusCode === 200)).toHaveLength(1);
    await other.close();
  });

  test('is remembered for as long as it could be used', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    await post(endpoint, freshToken(), bodyOf());
    const count = async () =>
      (await hub.owner`select 1 from impact_in_token_use where endpoint_id = ${endpoint.id}`).length;
    await forgetTokenUses(hub.db.systemSql);
    expect(await count()).toBe(1);
    await hub.owner`update impact_in_token_use set expires_at = now() - interval '1 second'`;
    await hub.owner`
      insert into impact_in_token_use (endpoint_id, token_key, company_id, body_sha256, expires_at)
      select ${endpoint.id}, sha256(n::text::bytea), ${companyId}, '', now() - interval '1 day' from generate_series(1, 7) n`;
    await forgetTokenUses(hub.db.systemSql, undefined, 4);
    expect(await count()).toBe(0);
  });

  test('is judged by nobody while its use cannot be written down', async () => {
    const endpoint = await hub.addEndpoint(companyId, inputOf['workday-jwt']);
    const [token, body] = [freshToken(), bodyOf()];
    await hub.owner`revoke insert on impact_in_token_use from hub_system`;
    const answer = await post(endpoint, token, body);
    await hub.owner`grant insert on impact_in_token_use to hub_system`;
    expect([answer.statusCode, Number(answer.headers['retry-after']) > 0]).toEqual([503, true]);
    expect((await post(endpoint, token, body)).statusCode).toBe(200);
  });

  test('is not used up by a request from a network that may not send', async () => {
    const endpoint = await hub.addEndpoint(companyId, { ...inputOf['workday-jwt'], allowedNetworks: ['192.0.2.0/24'] });
    expect((await post(endpoint, freshToken(), bodyOf())).statusCode).toBe(401);
    expect(await hub.owner`select 1 from impact_in_token_use where endpoint_id = ${endpoint.id}`).toHaveLength(0);
  });
});

describe('keys at an address', () => {
  test('are fetched once, and again when the partner signs with a new one', async () => {
    const [old, next] = [newIssuer('RS256', 'old'), newIssuer('ES256', 'next')];
    keySet.keys = [old.jwk];
    const endpoint = await addPublishing();
    const before = keySet.requests;
    for (let time = 0; time < 3; time += 1)
      expect((await post(endpoint, newToken(old), bodyOf())).statusCode).toBe(200);
    expect(keySet.requests).toBe(before + 1);
    // Within the cool-down an unknown key is one that the address does not have.
    keySet.keys = [next.jwk];
    expect((await post(endpoint, newToken(next), bodyOf())).statusCode).toBe(401);
    expect(keySet.requests).toBe(before + 1);
  });

  test('that do not answer make nobody wait but their endpoint, and it is told to come again', async () => {
    const partner = newIssuer();
    keySet.keys = [partner.jwk];
    keySet.isUp = false;
    const endpoint = await addPublishing();
    const answer = await post(endpoint, newToken(partner), bodyOf());
    expect(answer.statusCode).toBe(503);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    const other = await hub.addEndpoint(companyId, inputOf['workday-hmac']);
    expect((await send(hub, await requestFor(hub, other, 'meanwhile'))).statusCode).toBe(200);
    keySet.isUp = true;
  });

  test('are not read when there is no end to them', async () => {
    const partner = newIssuer();
    keySet.keys = [partner.jwk, { padding: 'x'.repeat(300_000) }];
    const endpoint = await addPublishing();
    expect((await post(endpoint, newToken(partner), bodyOf())).statusCode).toBe(503);
    keySet.keys = [partner.jwk, { padding: 'x'.repeat(200_000) }];
    expect((await post(await addPublishing(), newToken(partner), bodyOf())).statusCode).toBe(200);
  });

  test('are not looked for elsewhere when the address redirects', async () => {
    const partner = newIssuer();
    keySet.keys = [partner.jwk];
    const endpoint = await addPublishing();
    keySet.redirect = jwksUrl;
    expect((await post(endpoint, newToken(partner), bodyOf())).statusCode).toBe(503);
    keySet.redirect = '';
  });

  test('inside the operator’s network are not fetched unless the operator allows it', async () => {
    const partner = newIssuer();
    keySet.keys = [partner.jwk];
    const endpoint = await addPublishing();
    const before = keySet.requests;
    const strict = await openOther(hub, { allowPrivateAddresses: false });
    expect((await post(endpoint, newToken(partner), bodyOf(), strict)).statusCode).toBe(503);
    expect(keySet.requests).toBe(before);
    await strict.close();
  });

  test('beside the pinned thumbprints are of no use', async () => {
    const partner = newIssuer();
    keySet.keys = [partner.jwk];
    const endpoint = await addPublishing({ thumbprints: ['A'.repeat(43)] });
    expect((await post(endpoint, newToken(partner), bodyOf())).statusCode).toBe(401);
  });
});
