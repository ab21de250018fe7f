import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import type { CreateEndpointInput } from '../endpoints/schema.ts';
import { canRunCommands } from '../simulators/installed-programs.ts';
import { useTestHub } from '../test-hub.ts';
import { audience, issuer } from '../verification/test-tokens.ts';
import { inputOf } from './test-schemes.ts';

/** The commands of the README that need more than one secret; the others are tested beside the simulators. */
const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const commandWith = (text: string): string =>
  [...readme.matchAll(/```bash\n([^]*?)```/g)].map((match) => match[1] ?? '').find((one) => one.includes(text)) ?? '';

const hub = await useTestHub();
const companyId = await hub.addCompany();
await hub.server.listen({ host: '127.0.0.1', port: 0 });
const baseUrl = `http://127.0.0.1:${(hub.server.server.address() as AddressInfo).port}`;
const directory = mkdtempSync(join(tmpdir(), 'impact-hub-'));
const key = generateKeyPairSync('rsa', { modulusLength: 2_048 });
writeFileSync(join(directory, 'key.pem'), key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
afterAll(() => rmSync(directory, { recursive: true }));

const jwks = { keys: [{ ...key.publicKey.export({ format: 'jwk' }), kid: 'key-1' }] };

test.skipIf(!canRunCommands()).each<[string, Omit<CreateEndpointInput, 'name'>, boolean]>([
  ['$USERNAME:$PASSWORD', inputOf['workday-basic'], false],
  ['-sign "$KEY"', { ...inputOf['workday-jwt'], jwt: { issuer, audience, jwks } }, false],
  ['$URL?token=$URL_TOKEN', inputOf['goodera-unsigned'], true],
  ['evt_b2', inputOf['benevity-legacy'], false],
])('the README shows a command with %s that the hub takes', async (text, input, mustBeConfirmed) => {
  const endpoint = await hub.addEndpoint(companyId, input);
  const given = endpoint.credentials as Record<string, string>;
  const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', commandWith(text)], {
    env: {
      PATH: process.env['PATH'],
      URL: `${baseUrl}/webhooks/${endpoint.partner}/${endpoint.id}`,
      USERNAME: given['username'],
      PASSWORD: given['password'],
      URL_TOKEN: given['urlToken'],
      HEADER_TOKEN: given['headerToken'],
      SECRET: given['secret'],
      KEY: join(directory, 'key.pem'),
      ISSUER: issuer,
      AUDIENCE: audience,
    },
  });
  expect(JSON.parse(stdout)).toEqual({ received: true, receiptId: expect.any(String) });
  const [stored] = await hub.owner`select outcome from impact_in_receipt where endpoint_id = ${endpoint.id}`;
  expect(stored?.['outcome']).toBe(mustBeConfirmed ? 'quarantined' : 'accepted');
});
