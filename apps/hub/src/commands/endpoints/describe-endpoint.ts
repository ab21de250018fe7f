import type { EndpointView } from '@impact-hub/impact-in';
import { duration, note, printFields, printJson, printLine, printTable, when } from '../hub-api/print.ts';
import type { CommonOptions } from '../hub-api/hub-command.ts';
import { goodId } from '../hub-api/good-id.ts';
import type { Sent } from '../hub-api/sent.ts';

export type Endpoint = Sent<EndpointView>;

export const endpointsPath = '/api/v1/impact-in/endpoints';
/** @throws UsageError when it is no id */
export const pathOfEndpoint = (id: string, action = ''): string =>
  `${endpointsPath}/${goodId(id, 'endpoint')}${action}`;

/** How it stands, in one word. */
export const standing = ({ state, silentSince }: Pick<Endpoint, 'state' | 'silentSince'>): string =>
  silentSince === null ? state : `silent since ${when(silentSince)}`;

/** Where the keys of an issuer are, or which are pinned. */
const keysOf = ({ jwksUrl, jwks }: NonNullable<Endpoint['jwt']>): string =>
  jwksUrl ?? `pinned: ${(jwks?.keys ?? []).map(({ kid }) => String(kid)).join(', ')}`;

const fieldsOf = (endpoint: Endpoint): Record<string, unknown> => ({
  endpoint: endpoint.id,
  name: endpoint.name,
  partner: endpoint.partner,
  address: endpoint.url,
  scheme: endpoint.weak ? `${endpoint.scheme} (weak)` : endpoint.scheme,
  state: standing(endpoint),
  account: endpoint.hint,
  'allowed from': endpoint.allowedNetworks ?? 'everywhere',
  'last received': when(endpoint.lastReceivedAt),
  'expected every': duration(endpoint.expectedEverySeconds),
  tolerance: duration(endpoint.toleranceSeconds),
  'body limit': `${endpoint.bodyLimitBytes} bytes`,
  profile: endpoint.profile === undefined ? undefined : JSON.stringify(endpoint.profile),
  issuer: endpoint.jwt?.issuer,
  audience: endpoint.jwt?.audience,
  keys: endpoint.jwt === undefined ? undefined : keysOf(endpoint.jwt),
  'secret header': endpoint.secretHeader,
  'token address': endpoint.tokenUrl,
  'client id': endpoint.clientId,
  'user name': endpoint.username,
  created: when(endpoint.createdAt),
});

/** An endpoint and its secrets, for a person or, with `--json`, as the hub says it. */
export const printEndpoint = (endpoint: Endpoint, { json }: CommonOptions): void => {
  if (json === true) return printJson(endpoint);
  printFields(Object.fromEntries(Object.entries(fieldsOf(endpoint)).filter(([, value]) => value !== undefined)));
  if (endpoint.secrets.length === 0) return;
  printLine('');
  printTable(
    ['secret', 'kind', 'generation', 'state', 'ends', 'last matched'],
    endpoint.secrets.map(({ id, kind, generation, state, notAfter, lastMatchedAt }) => [
      id,
      kind,
      generation,
      state,
      when(notAfter),
      when(lastMatchedAt),
    ]),
  );
};

/** The answer that shows credentials, which the hub gives once. */
export type Shown = Endpoint & {
  secret?: string;
  clientSecret?: string;
  password?: string;
  urlToken?: string;
  headerToken?: string;
};

/** What is secret alone on standard output, one a line; what goes with it on standard error. */
export const printCredentials = (shown: Shown, remark: string, { json }: CommonOptions): void => {
  const { secret, clientSecret, password, urlToken, headerToken } = shown;
  const texts = [secret, clientSecret, password, urlToken, headerToken].filter((text) => text !== undefined);
  if (json === true) printJson(shown);
  else for (const text of texts) printLine(text);
  note(remark);
  note(`Address: ${shown.url}`);
  if (clientSecret !== undefined) note(`Client id: ${shown.clientId ?? ''}, tokens at ${shown.tokenUrl ?? ''}`);
  if (password !== undefined) note(`User name: ${shown.username ?? ''}`);
  if (urlToken !== undefined)
    note(`First the token of the address (?token=…), then the value of the header ${shown.secretHeader ?? ''}.`);
  if (texts.length > 0) note('This is the only time the secret is shown.');
};
