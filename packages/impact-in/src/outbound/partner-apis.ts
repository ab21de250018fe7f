import type { OutboundEvent } from './impact-event.ts';
import type { PartnerApi } from './partner-api.ts';

type Names = Partial<Record<keyof OutboundEvent, string>>;

const camelCase: Names = {
  deliveryId: 'idempotencyKey',
  transactionId: 'transactionId',
  eventType: 'eventType',
  activity: 'activity',
  activityType: 'activityType',
  hours: 'hours',
  amount: 'amount',
  currency: 'currency',
  beneficiaries: 'beneficiaries',
  occurredAt: 'timestamp',
  description: 'description',
};
const gooderaFields: Names = { ...camelCase, participantId: 'participantId', projectId: 'projectId' };
const workdayFields: Names = { ...camelCase, participantId: 'workerId' };
const benevityFields: Names = {
  transactionId: 'transaction_id',
  eventType: 'event_type',
  organizationId: 'organization_id',
  participantId: 'participant_id',
  activity: 'activity',
  activityType: 'activity_type',
  hours: 'hours',
  amount: 'amount',
  currency: 'currency',
  beneficiaries: 'beneficiaries',
  occurredAt: 'timestamp',
  description: 'description',
};

const snakeAnswer = {
  transactionId: ['transaction_id', 'id'],
  status: ['status'],
  reason: ['error_message', 'error_description', 'message', 'error'],
} as const;
const camelAnswer = {
  transactionId: ['transactionId', 'id'],
  status: ['status'],
  reason: ['error.message', 'error', 'message', 'error_description'],
} as const;
const workdayAnswer = { ...camelAnswer, transactionId: ['activityId', 'transactionId', 'reportId', 'id'] } as const;

/** No limit is published for Benevity and Workday: ten calls a second, each company's own to change. */
const unpublishedRate = { requestsPerMinute: 600, burst: 10 } as const;
/** 100 a minute, hence 600 ms between two calls. */
const gooderaRate = { requestsPerMinute: 100, burst: 1 } as const;

const apis = {
  benevity: {
    partner: 'benevity',
    title: 'Benevity, API key and signed body',
    format: 'json',
    auth: { kind: 'api_key', header: 'X-API-Key', signatureHeader: 'X-Benevity-Signature' },
    path: '/api/v1/impact-events',
    headers: {},
    idempotencyHeader: 'X-Idempotency-Key',
    fields: benevityFields,
    answer: snakeAnswer,
    rate: unpublishedRate,
  },
  'benevity-bearer': {
    partner: 'benevity',
    title: 'Benevity, OAuth',
    format: 'json',
    auth: { kind: 'oauth', tokenPath: '/oauth2/token', client: 'basic' },
    path: '/v1/impact',
    headers: { 'X-API-Version': '1.0' },
    idempotencyHeader: 'Idempotency-Key',
    fields: benevityFields,
    answer: snakeAnswer,
    rate: unpublishedRate,
  },
  goodera: {
    partner: 'goodera',
    title: 'Goodera, OAuth',
    format: 'json',
    auth: { kind: 'oauth', tokenPath: '/oauth/token', client: 'form' },
    path: '/v2/events/impact',
    headers: {},
    idempotencyHeader: 'Idempotency-Key',
    fields: gooderaFields,
    answer: camelAnswer,
    rate: gooderaRate,
    rateHeaders: { remaining: 'x-ratelimit-remaining', reset: 'x-ratelimit-reset' },
    recordPath: '/v2/events/impact/{transactionId}',
  },
  'goodera-key': {
    partner: 'goodera',
    title: 'Goodera, API key, in batches',
    format: 'json',
    auth: { kind: 'api_key', header: 'X-API-Key' },
    path: '/v1/impact-data',
    headers: {},
    idempotencyHeader: 'Idempotency-Key',
    fields: gooderaFields,
    batch: { path: '/v1/impact-data/batch', maxRecords: 100, recordsField: 'records', answerField: 'results' },
    answer: camelAnswer,
    rate: gooderaRate,
    recordPath: '/v1/impact-data/{transactionId}',
  },
  'workday-rest': {
    partner: 'workday',
    title: 'Workday, REST',
    format: 'json',
    auth: { kind: 'oauth', tokenPath: '/ccx/oauth2/{tenant}/token', client: 'basic' },
    path: '/api/v1/{tenant}/csr-impact-reports',
    headers: {},
    idempotencyHeader: 'Idempotency-Key',
    fields: workdayFields,
    answer: workdayAnswer,
    rate: unpublishedRate,
  },
  'workday-soap': {
    partner: 'workday',
    title: 'Workday, SOAP',
    format: 'soap',
    auth: { kind: 'wsse' },
    path: '/ccx/service/{tenant}/CSR_Impact_Report',
    headers: {},
    idempotencyHeader: null,
    fields: workdayFields,
    answer: workdayAnswer,
    rate: unpublishedRate,
    soap: {
      action: 'Submit_CSR_Impact_Report',
      namespace: 'urn:com.workday/bsvc',
      request: 'Submit_CSR_Impact_Report_Request',
    },
  },
} as const satisfies Record<string, PartnerApi>;

export type PartnerApiName = keyof typeof apis;

/** The APIs deliveries can be sent to, by name. */
export const partnerApis: Readonly<Record<PartnerApiName, PartnerApi>> = apis;

export const partnerApiNames = Object.keys(apis) as [PartnerApiName, ...PartnerApiName[]];

/** The partner's path with its parameters filled in. */
export const pathOf = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''));
