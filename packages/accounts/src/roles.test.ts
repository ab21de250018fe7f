import { describe, expect, it } from 'vitest';
import { mayManageRole, roles, roleScopes } from './roles.ts';

const catalogue = {
  admin: '',
  'people:manage': '',
  'data:read': '',
  'data:write': '',
  'report:view': '',
  'deliveries:read': '',
  'deliveries:replay': '',
  'endpoints:manage': '',
  'audit:read': '',
  'crypto:encrypt': '',
  'operations:read': '',
  'operations:manage': '',
};
const companyId = '0192f000-0000-7000-8000-000000000000';
const key = (scopes: readonly string[]) =>
  ({
    kind: 'api_key',
    keyId: 'k',
    secretId: 's',
    companyId,
    environment: 'live',
    scopes: new Set(scopes),
    rateLimitPerMinute: 60,
  }) as const;

describe('roles', () => {
  it('hold exactly these scopes', () => {
    const held = Object.fromEntries(roles.map((role) => [role, [...roleScopes(role, catalogue)]]));
    expect(held).toEqual({
      system_admin: Object.keys(catalogue),
      company_admin: Object.keys(catalogue).filter((scope) => !scope.startsWith('operations:')),
      operator: ['data:read', 'data:write', 'report:view', 'deliveries:read', 'deliveries:replay', 'endpoints:manage'],
      auditor: ['data:read', 'report:view', 'deliveries:read', 'audit:read'],
      viewer: ['data:read', 'report:view', 'deliveries:read'],
    });
  });

  it('are granted by a key only when it holds all their scopes, and the highest by no key', () => {
    expect(mayManageRole(key(['people:manage']), 'viewer', catalogue)).toBe(false);
    expect(mayManageRole(key(['people:manage', ...roleScopes('viewer', catalogue)]), 'viewer', catalogue)).toBe(true);
    expect(mayManageRole(key(['people:manage', ...roleScopes('viewer', catalogue)]), 'operator', catalogue)).toBe(
      false,
    );
    expect(mayManageRole(key(Object.keys(catalogue)), 'company_admin', catalogue)).toBe(true);
    expect(mayManageRole(key(Object.keys(catalogue)), 'system_admin', catalogue)).toBe(false);
    const testKey = { ...key(Object.keys(catalogue)), environment: 'test' } as const;
    expect(mayManageRole(testKey, 'viewer', catalogue)).toBe(false);
  });
});
