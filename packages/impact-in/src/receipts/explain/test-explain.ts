import { read, type TestEndpoint, type TestHub } from '../../test-hub.ts';
import { keepRejected, type SentRequest } from '../test-kept.ts';

/** Arrangement shared by the tests of explanations. */

export type Explanation = {
  summary: string;
  checks: { name: string; outcome: string; detail: string; advice: string | null }[];
  findings: { name: string; detail: string; secretId: string | null }[];
  secrets: { atArrival: string[]; today: string[] };
  original: { id: string } | null;
  differsAt: string[] | null;
};

export const failedOf = ({ checks }: Explanation) =>
  checks.filter(({ outcome }) => outcome === 'failed').map(({ name }) => name);
export const findingsOf = ({ findings }: Explanation) => findings.map(({ name }) => name);

export const explain = async (hub: TestHub, companyId: string, id: string | null): Promise<Explanation> => {
  const answer = await read(hub, companyId, `/receipts/${id}/explain`);
  if (answer.statusCode !== 200) throw new Error(`${answer.statusCode} ${answer.body}`);
  return answer.json<Explanation>();
};

/** Keeps a request that the endpoint refuses, and has it explained. */
export const explainRejected = async (
  hub: TestHub,
  endpoint: TestEndpoint,
  request: SentRequest,
): Promise<Explanation> => explain(hub, endpoint.companyId, await keepRejected(hub, endpoint, request));

/** An endpoint of each scheme with HMAC, by scheme, and no bound on explanations: tests ask for many at once. */
export const addSignedEndpoints = async (hub: TestHub, companyId: string) => {
  hub.impactIn.deps.records.explanations.left = () => 60;
  const endpoints: Record<string, TestEndpoint> = {
    'benevity-hmac': await hub.addEndpoint(companyId, { partner: 'benevity' }),
    'goodera-hmac': await hub.addEndpoint(companyId, { partner: 'goodera' }),
    'workday-hmac': await hub.addEndpoint(companyId, { partner: 'workday' }),
    'standard-webhooks': await hub.addEndpoint(companyId, { partner: 'benevity', scheme: 'standard-webhooks' }),
  };
  return endpoints;
};
