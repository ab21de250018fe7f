import type { JwksCache } from '../../verification/jwks-cache.ts';
import type { EndpointRow } from '../../tables.ts';
import type { Endpoint } from '../endpoint.ts';
import type { PingCheck } from './schema.ts';

/** The hub sends to itself, so it says nothing about the way from the partner. */
export const networkCheck = ({ allowedNetworks }: EndpointRow): PingCheck => ({
  check: 'network',
  passed: null,
  detail:
    allowedNetworks === null
      ? 'Anyone may send. Whether the partner reaches the hub can only be tried from there.'
      : `Only ${allowedNetworks.join(', ')} may send; the ping was taken as coming from there. Whether the partner does can only be tried from there.`,
});

/** No key id of anybody: asks whether the address answers, without believing a key. */
const nobodysKeyId = 'impact-hub-ping';

const keysCheck = async ({ trust, companyId }: Endpoint, jwks: JwksCache): Promise<PingCheck> => {
  const check = 'keys';
  if (trust === null) return { check, passed: false, detail: 'The endpoint does not say whose tokens it believes.' };
  if ('jwksUrl' in trust) {
    const answered = (await jwks.find(trust.jwksUrl, nobodysKeyId, companyId)) !== 'unavailable';
    const detail = answered
      ? `${trust.jwksUrl} answers with a key set.`
      : `${trust.jwksUrl} did not answer with a key set in time; asked again after 10 seconds.`;
    return { check, passed: answered, detail };
  }
  const { keys, thumbprints } = trust;
  const usable = keys.filter(({ thumbprint }) => thumbprints === null || thumbprints.has(thumbprint));
  const ids = usable.map(({ keyId }) => keyId).join(', ');
  const detail = `${usable.length} of ${keys.length} keys can verify tokens${ids === '' ? '' : `: ${ids}`}.`;
  return { check, passed: usable.length > 0, detail };
};

/** What can be tried where the partner signs with a key that only it has. */
export const describeTrust = async (row: EndpointRow, endpoint: Endpoint, jwks: JwksCache): Promise<PingCheck[]> => {
  const { jwt } = row.settings;
  return [
    {
      check: 'signature',
      passed: null,
      detail: `The partner signs its tokens with keys that only it has. They must say iss ${jwt?.issuer ?? '?'} and aud ${jwt?.audience ?? '?'}; let it send one event, and read its receipt.`,
    },
    await keysCheck(endpoint, jwks),
    {
      check: 'state',
      passed: endpoint.state === 'active',
      detail: endpoint.state === 'active' ? 'The endpoint receives.' : 'The endpoint is paused and answers 503.',
    },
    networkCheck(row),
  ];
};
