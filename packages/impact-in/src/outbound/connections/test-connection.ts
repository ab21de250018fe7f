import type { ConnectionRow } from '../tables.ts';
import type { SendingDeps } from '../outbound-deps.ts';
import { pathOf } from '../partner-apis.ts';
import { TokenRefused } from '../sending/access-tokens.ts';
import { answerInTime } from '../sending/answer-in-time.ts';
import { buildReading } from '../sending/build-request.ts';
import { callAuthenticated, explainFailure } from '../sending/call-partner.ts';
import { CallFailed } from '../sending/http-client.ts';
import { createRedactor } from '../sending/redact-exchange.ts';
import { openConnection } from './open-connection.ts';

export type ConnectionTest = {
  reachable: boolean;
  authorized: boolean | null;
  httpStatus: number | null;
  detail: string;
  durationMs: number;
};

type Finding = Omit<ConnectionTest, 'durationMs'>;

const unreachable = (failure: CallFailed): Finding => ({
  reachable: failure.status !== null,
  authorized: null,
  httpStatus: failure.status,
  detail: explainFailure(failure),
});

/** Addresses that take only POST say so (404, 405) to whoever may come in, and 401 or 403 to others. */
const judge = (status: number, hasToken: boolean, tellsByPost: boolean): Finding => {
  const seen = { reachable: true, httpStatus: status };
  if (status === 401 || status === 403)
    return { ...seen, authorized: false, detail: `the partner refused the credentials (${status})` };
  if (status >= 500) return { ...seen, authorized: hasToken ? true : null, detail: `the partner answered ${status}` };
  if (tellsByPost)
    return {
      ...seen,
      authorized: null,
      detail: 'the partner answers; its SOAP service looks at credentials only with a report',
    };
  return { ...seen, authorized: true, detail: `the partner answered ${status} and did not refuse the credentials` };
};

/** Below the eight seconds after which a request is answered with 503. */
const defaultPatienceMs = 6_000;
const tooLate: Finding = { reachable: false, authorized: null, httpStatus: null, detail: 'no answer in time' };

/**
 * Tries a connection without sending anything that has an effect: fetches a token where there are tokens, and asks the
 * API's address by GET.
 */
export const testConnection = async (
  deps: Pick<SendingDeps, 'crypto' | 'clock' | 'outbound'>,
  row: ConnectionRow,
  patienceMs = defaultPatienceMs,
): Promise<ConnectionTest> => {
  const startedAtMs = performance.now();
  const connection = await openConnection(deps.crypto, row);
  const { api, tenant } = connection;
  const hasToken = api.auth.kind === 'oauth';
  const redact = createRedactor(connection, [], null);
  const find = async (signal: AbortSignal): Promise<Finding> => {
    try {
      const path = pathOf(api.path, { tenant: tenant ?? '' });
      const { answer, error } = await callAuthenticated(
        { ...deps.outbound, clock: deps.clock },
        connection,
        (token) => buildReading(connection, path, token),
        signal,
      );
      if (error !== null) return unreachable(error);
      return judge(answer?.status ?? 0, hasToken, api.auth.kind === 'wsse');
    } catch (error) {
      if (error instanceof CallFailed) return unreachable(error);
      if (!(error instanceof TokenRefused)) throw error;
      return {
        reachable: true,
        authorized: error.isOfCredentials ? false : null,
        httpStatus: error.status,
        detail: redact(error.message),
      };
    }
  };
  return { ...(await answerInTime(patienceMs, tooLate, find)), durationMs: performance.now() - startedAtMs };
};
