import { listProblems } from '@impact-hub/core';
import '@impact-hub/api-keys';
import '@impact-hub/gateway';
import { describe, expect, test } from 'vitest';
import { explainProblem } from '../hub-api/explain-problem.ts';
import { keysWords } from './keys-words.ts';

const refused = (body: object, status = 400): string =>
  explainProblem(
    {
      status,
      body: { title: 'A title', ...body },
      url: 'https://hub.example.org',
      path: '/admin/api-keys/Ab3dEf6hIj9l/rotate',
      retryAfter: '7',
    },
    keysWords,
  );

describe('a problem of the hub at the terminal', () => {
  test('names options where the hub names fields', () => {
    const errors = [
      { pointer: '/body/allowedIps/1', detail: 'Must be an address.' },
      { pointer: '/body/metadata/team', detail: 'Must not contain control characters.' },
      { pointer: '/query/from', detail: 'Use a time.' },
      { pointer: '/body/other', detail: 'This field is not known.' },
      { pointer: '/body', detail: 'This address takes no body.' },
    ];
    const text = refused({ code: 'request.invalid', detail: '/body/allowedIps/1: Must be an address.', errors });
    expect(text.split('\n')).toEqual([
      'The hub does not take this. Correct what is named and run it again.',
      '  --allow-ip (number 2): Must be an address.',
      '  --metadata team: Must not contain control characters.',
      '  --last: Use a time.',
      '  other: This field is not known.',
      '  This address takes no body.',
    ]);
  });

  test('speaks of requests, headers and fields in none of the problems that a command can meet', () => {
    // No command reports leaks, signs in or sends cookies.
    const unmet = new Set(['api_keys.too_many_leak_reports', 'auth.cross_site_request']);
    const met = listProblems().filter(
      ({ code }) => !unmet.has(code) && /^(?:api_keys|auth|rate_limit|service)\.|^request\.invalid$/.test(code),
    );
    expect(met.length).toBeGreaterThan(10);
    for (const { code, status, title, remedy } of met) {
      expect(refused({ code, title, remedy }, status), code).not.toMatch(/`|POST|Retry-After|X-API-Key|\/admin\//);
    }
  });

  test('names the key and the seconds to wait', () => {
    const overlaps = refused({ code: 'api_keys.rotation_overlaps', remedy: 'Call something.' }, 409);
    expect(overlaps).toContain('hub keys retire-old Ab3dEf6hIj9l once');
    expect(refused({ code: 'rate_limit.exceeded', remedy: 'Wait.' }, 429)).toBe('A title. Run it again in 7 seconds.');
    expect(refused({ code: 'service.internal_error', remedy: 'Report.', requestId: 'r-1' }, 500)).toBe(
      'A title.\nRequest r-1 in the log of the hub tells more.',
    );
  });
});
