/** Who is calling, after authentication. `companyId` is the only company the caller may see or change. */
export type Principal = AnonymousPrincipal | ApiKeyPrincipal | PersonPrincipal;

export type AnonymousPrincipal = { kind: 'anonymous'; companyId: null; scopes: ReadonlySet<string> };

export type ApiKeyPrincipal = {
  kind: 'api_key';
  /** The 12-character public key id. */
  keyId: string;
  /** Which secret of the key was presented. */
  secretId: string;
  companyId: string;
  environment: 'live' | 'test';
  scopes: ReadonlySet<string>;
  /** Requests this key may make in any minute. */
  rateLimitPerMinute: number;
};

export type PersonPrincipal = {
  kind: 'person';
  personId: string;
  email: string;
  sessionId: string;
  role: string;
  companyId: string;
  scopes: ReadonlySet<string>;
};

/** A principal that belongs to a company: what every handler of a non-public route receives. */
export type CompanyPrincipal = ApiKeyPrincipal | PersonPrincipal;

export const anonymous: AnonymousPrincipal = { kind: 'anonymous', companyId: null, scopes: new Set() };
