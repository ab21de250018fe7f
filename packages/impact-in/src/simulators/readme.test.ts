import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schemeNames } from '../verification/profile.ts';
import { newClientSecret } from '../verification/client-credentials.ts';
import { newWebhookSecret } from '../verification/secret-key.ts';
import { canRunCommands } from './installed-programs.ts';
import { startTestReceiver, type TestReceiver } from './test-receiver.ts';

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const commands = [...readme.matchAll(/```bash\n([^]*?)```/g)].map((match) => match[1] ?? '');

const canRun = canRunCommands();

const secret = newWebhookSecret();
const clientSecret = newClientSecret();
let receiver: TestReceiver;
beforeAll(async () => {
  receiver = await startTestReceiver({ secret, clientSecret });
});
afterAll(() => receiver.close());

const run = (command: string, path: string, sharedSecret: string) =>
  promisify(execFile)('bash', ['-euo', 'pipefail', '-c', command], {
    env: {
      PATH: process.env['PATH'],
      URL: `${receiver.baseUrl}/${path}`,
      TOKEN_URL: `${receiver.baseUrl}/token`,
      SECRET: sharedSecret,
      CLIENT_ID: 'client-1',
      CLIENT_SECRET: clientSecret,
    },
  });

describe('the README', () => {
  it('names every scheme', () => {
    for (const scheme of schemeNames) expect(readme).toContain(`\`${scheme}\``);
  });

  it.skipIf(!canRun).each([
    ['benevity/benevity-hmac', 0],
    ['goodera/goodera-hmac', 1],
    ['workday/workday-hmac', 2],
    ['workday/workday-oauth', 3],
  ])('shows commands for %s that the receiver accepts', async (path, index) => {
    const { stdout } = await run(commands[index] ?? '', path, secret);
    expect(JSON.parse(stdout)).toEqual({ received: true, duplicate: false });
    expect(receiver.lastRefusal()).toBeNull();
  });

  it.skipIf(!canRun)('shows commands that need the right secret', async () => {
    await run(commands[0] ?? '', 'benevity/benevity-hmac', `${secret}x`);
    expect(receiver.lastRefusal()).toBe('signature_mismatch');
  });
});
