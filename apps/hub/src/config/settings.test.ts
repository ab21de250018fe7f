import { expect, test } from 'vitest';
import { describeSettings, envExample } from './describe-settings.ts';
import { loadSettings, StartError } from './load-settings.ts';

test('nothing set gives the embedded installation on port 3000', () => {
  const settings = loadSettings({ PATH: '/bin' });
  expect(settings).toMatchObject({ HUB_HOST: '127.0.0.1', HUB_PORT: 3000, HUB_LOG_LEVEL: 'info' });
  expect(settings.HUB_DATA_DIR).toMatch(/\/\.hub$/);
  expect(settings.DATABASE_URL).toBeUndefined();
});

test('an empty variable counts as not set', () => {
  expect(loadSettings({ HUB_PORT: '', DATABASE_URL: '' })).toMatchObject({ HUB_PORT: 3000 });
});

test.each([
  [{ HUB_PROT: '1' }, 'HUB_PROT is not a setting of the hub; did you mean HUB_PORT?'],
  [{ HUB_PORT: '70000' }, 'HUB_PORT must be a whole number from 0 to 65535.'],
  [{ HUB_PORT: '3000.5' }, 'HUB_PORT must be a whole number from 0 to 65535.'],
  [{ HUB_LOG_LEVEL: 'loud' }, 'HUB_LOG_LEVEL must be one of debug, info, warn, error.'],
  [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must be a URL that starts with postgres:// or postgresql://.'],
  [{ HUB_PUBLIC_URL: 'hub.example' }, 'HUB_PUBLIC_URL must be a URL that starts with http:// or https://.'],
  [
    { HUB_TRUST_PROXY: '10.0.0.0/8, banana' },
    'HUB_TRUST_PROXY must be addresses or ranges such as 10.0.0.0/8, or loopback.',
  ],
  [{ HUB_TRUST_PROXY: '0.0.0.0/0' }, 'HUB_TRUST_PROXY must be addresses or ranges such as 10.0.0.0/8, or loopback.'],
  [{ HUB_TRUST_PROXY: '10.1.0.0/8' }, 'HUB_TRUST_PROXY must be addresses or ranges such as 10.0.0.0/8, or loopback.'],
  [{ HUB_METRICS_TOKEN: 'short' }, 'HUB_METRICS_TOKEN must have at least 16 characters.'],
  [
    { HUB_OIDC_ISSUER: 'https://id.example' },
    'HUB_OIDC_ISSUER, HUB_OIDC_CLIENT_ID and HUB_OIDC_CLIENT_SECRET must be set together.',
  ],
  [
    { HUB_DATABASE_RUNTIME_URL: 'postgres://x' },
    'HUB_DATABASE_RUNTIME_URL and HUB_DATABASE_SYSTEM_URL must be set together.',
  ],
])('%j is refused with one plain sentence', (environment, sentence) => {
  expect(() => loadSettings(environment)).toThrow(new StartError(sentence));
});

test('what is shown of the settings holds neither secrets nor passwords', () => {
  const environment = {
    HUB_METRICS_TOKEN: 'a-token-of-some-length',
    DATABASE_URL: 'postgres://hub:pass-word@db/hub',
    REDIS_URL: 'redis://:pass-word@cache',
  };
  const shown = describeSettings(loadSettings(environment), environment);
  expect(shown).not.toMatch(/pass-word|a-token-of/);
  expect(shown).toContain('HUB_METRICS_TOKEN=(set)  # environment');
  expect(shown).toContain('HUB_PORT=3000  # default');
});

test('.env.example lists every setting commented out, so that copying it changes nothing', () => {
  const lines = envExample()
    .split('\n')
    .filter((line) => line !== '');
  expect(lines.every((line) => line.startsWith('#'))).toBe(true);
  expect(lines).toContain('#HUB_PORT=3000');
});
