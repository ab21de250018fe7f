import { createHmac, timingSafeEqual } from 'node:crypto';
import type { PartnerState } from './partner-state.ts';

/** What everybody who wants to call the stand-ins has to know. */
export type StandInCredentials = {
  apiKey: string;
  signingSecret: string;
  clientId: string;
  clientSecret: string;
  username: string;
  password: string;
};

export type Arrived = {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: string;
};

export type Answered = { status: number; body: unknown; contentType?: string };

/**
 * One partner's API, written from its description and sharing nothing with the hub's client: a stand-in made from the
 * client's own table would agree with any mistake in it.
 */
export type StandInApi = {
  name: string;
  matches(path: string): boolean;
  /** Null when the caller may come in, else the refusal. */
  refuse(arrived: Arrived, credentials: StandInCredentials, state: PartnerState): Answered | null;
  /** Keeps the events of the call and answers. */
  take(arrived: Arrived, state: PartnerState): Answered;
};

const header = ({ headers }: Arrived, name: string): string => {
  const value = headers[name];
  return Array.isArray(value) ? (value[0] ?? '') : (value ?? '');
};
const equal = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
};
const unauthorized: Answered = { status: 401, body: { error: 'unauthorized' } };

const byKey: StandInApi['refuse'] = (arrived, { apiKey }) =>
  equal(header(arrived, 'x-api-key'), apiKey) ? null : unauthorized;
const byToken: StandInApi['refuse'] = (arrived, _credentials, state) =>
  state.acceptsToken(header(arrived, 'authorization').replace(/^Bearer /, ''))
    ? null
    : { status: 401, body: { error: 'invalid_token' } };
const bySignature: StandInApi['refuse'] = (arrived, credentials, state) => {
  if (arrived.body === '') return byKey(arrived, credentials, state);
  const expected = createHmac('sha256', credentials.signingSecret).update(arrived.body).digest('hex');
  return equal(header(arrived, 'x-benevity-signature'), expected) ? byKey(arrived, credentials, state) : unauthorized;
};

const fieldsOf = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;

const benevity = (name: string, path: string, keyHeader: string, refuse: StandInApi['refuse']): StandInApi => ({
  name,
  matches: (asked) => asked === path,
  refuse,
  take: (arrived, state) => {
    const fields = fieldsOf(arrived.body);
    if (typeof fields['activity'] !== 'string')
      return { status: 422, body: { status: 'failed', error_message: 'activity is missing' } };
    const { record, duplicate } = state.commit(name, header(arrived, keyHeader) || undefined, fields);
    return {
      status: duplicate ? 200 : 201,
      body: {
        transaction_id: record.id,
        status: duplicate ? 'duplicate' : 'success',
        participant_id: fields['participant_id'],
      },
    };
  },
});

const goodera = (name: string, path: string, refuse: StandInApi['refuse']): StandInApi => ({
  name,
  matches: (asked) => asked === path || asked === `${path}/batch` || asked.startsWith(`${path}/`),
  refuse,
  take: (arrived, state) => {
    const body = fieldsOf(arrived.body);
    const takeOne = (fields: Record<string, unknown>) => {
      const key = String(fields['idempotencyKey'] ?? '') || undefined;
      if (String(fields['activity']).includes('[refused]'))
        return { idempotencyKey: key, httpStatus: 422, status: 'failed', error: 'the activity is not known' };
      const { record, duplicate } = state.commit(name, key, fields);
      return { idempotencyKey: key, transactionId: record.id, status: duplicate ? 'duplicate' : 'success' };
    };
    if (!arrived.path.endsWith('/batch')) {
      const answer = takeOne(body);
      return { status: answer.httpStatus ?? 200, body: answer };
    }
    const records = body['records'] as Record<string, unknown>[];
    if (records.length > 100) return { status: 413, body: { error: 'at most 100 records' } };
    if (records.some((record) => String(record['activity']).includes('[poison]')))
      return { status: 400, body: { error: 'a record cannot be read' } };
    return { status: 207, body: { results: records.map(takeOne) } };
  },
});

const workdayRest: StandInApi = {
  name: 'workday-rest',
  matches: (path) => /^\/api\/v1\/[^/]+\/csr-impact-reports$/.test(path),
  refuse: byToken,
  take: (arrived, state) => {
    const fields = fieldsOf(arrived.body);
    const { record, duplicate } = state.commit('workday-rest', header(arrived, 'idempotency-key') || undefined, fields);
    return duplicate
      ? {
          status: 409,
          body: { error: { code: 'duplicate_report', message: 'The report exists.' }, activityId: record.id },
        }
      : { status: 202, body: { activityId: record.id, status: 'accepted' } };
  },
};

const element = (xml: string, name: string): string | undefined =>
  new RegExp(`<(?:\\w+:)?${name}(?:\\s[^>]*)?>([^<]*)</`).exec(xml)?.[1];
const unescaped = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&apos;', "'")
    .replaceAll('&amp;', '&');
const envelope = (content: string): string =>
  `<?xml version="1.0"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>${content}</env:Body></env:Envelope>`;
const fault = (code: string, text: string): Answered => ({
  status: 500,
  contentType: 'text/xml',
  body: envelope(`<env:Fault><faultcode>env:${code}</faultcode><faultstring>${text}</faultstring></env:Fault>`),
});

const workdaySoap: StandInApi = {
  name: 'workday-soap',
  matches: (path) => /^\/ccx\/service\/[^/]+\/CSR_Impact_Report$/.test(path),
  refuse: (arrived, { username, password }) => {
    if (arrived.body === '') return null;
    const named = unescaped(element(arrived.body, 'Username') ?? '').replace(/@.*$/, '');
    const isRight = equal(named, username) && equal(unescaped(element(arrived.body, 'Password') ?? ''), password);
    return isRight ? null : fault('Client.authentication', 'invalid username or password');
  },
  take: (arrived, state) => {
    if (header(arrived, 'soapaction') !== '"Submit_CSR_Impact_Report"') return fault('Client', 'unknown SOAPAction');
    const request =
      /<(?:\w+:)?Submit_CSR_Impact_Report_Request>(.*)<\/(?:\w+:)?Submit_CSR_Impact_Report_Request>/s.exec(
        arrived.body,
      )?.[1];
    if (request === undefined) return fault('Client.validationError', 'no report');
    const fields = Object.fromEntries(
      [...request.matchAll(/<(?:\w+:)?(\w+)>([^<]*)<\//g)].map(([, name = '', text = '']) => [name, unescaped(text)]),
    );
    const { record, duplicate } = state.commit('workday-soap', fields['idempotencyKey'], fields);
    const content = `<w:Response xmlns:w="urn:com.workday/bsvc"><w:activityId>${record.id}</w:activityId><w:status>${duplicate ? 'duplicate' : 'success'}</w:status></w:Response>`;
    return { status: 200, contentType: 'text/xml', body: envelope(content) };
  },
};

export const standInApis: readonly StandInApi[] = [
  benevity('benevity', '/api/v1/impact-events', 'x-idempotency-key', bySignature),
  benevity('benevity-bearer', '/v1/impact', 'idempotency-key', byToken),
  goodera('goodera', '/v2/events/impact', byToken),
  goodera('goodera-key', '/v1/impact-data', byKey),
  workdayRest,
  workdaySoap,
];
