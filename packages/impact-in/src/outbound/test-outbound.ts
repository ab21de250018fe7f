import { newId } from '@impact-hub/core';
import { afterAll } from 'vitest';
import {
  startPartnerApis,
  type PartnerApis,
  type PartnerApisOptions,
} from '../simulators/partner-apis/start-partner-apis.ts';
import { createTestHub, type TestHub } from '../test-hub.ts';
import type { ImpactInOptions } from '../create-impact-in.ts';
import { credentialNames } from './connections/credentials.ts';
import { partnerApis, type PartnerApiName } from './partner-apis.ts';
import { findDue } from './sending/find-due.ts';
import { sendCall } from './sending/send-call.ts';

export type DeliveryDetail = {
  id: string;
  status: string;
  outcome: string;
  attempts: number;
  correlationId: string;
  lastError: string | null;
  settledBy: string | null;
  sending: {
    connectionId: string;
    transactionId: string;
    partnerTransactionId: string | null;
    nextAttemptAt: string | null;
  } | null;
  attemptLog: {
    number: number;
    result: string;
    error: string | null;
    errorClass: string | null;
    httpStatus: number | null;
    startedAt: string;
    endedAt: string | null;
    nextAttemptAt: string | null;
    exchange: {
      request: { method: string; url: string; headers: Record<string, string>; body: string };
      response: { status: number; headers: Record<string, string>; body: string } | null;
    } | null;
  }[];
};

export const payload = {
  participantId: 'person-4711',
  activity: 'Reading with children',
  projectId: 'project_1',
  hours: 2.5,
  occurredAt: '2026-03-01T12:00:00Z',
  description: 'With Ada & <Grace>',
};

type StageOptions = { apis?: PartnerApisOptions; hub?: Partial<ImpactInOptions> };

/** A hub and stand-ins of the partners' APIs, for this package's tests. */
export type Stage = Awaited<ReturnType<typeof createStage>>;

const createStage = async (options: StageOptions = {}) => {
  const partner: PartnerApis = await startPartnerApis(options.apis);
  const hub: TestHub = await createTestHub({
    allowPrivateAddresses: true,
    ...options.hub,
    outbound: { random: () => 0.9, http: { timeoutMs: 400 }, ...options.hub?.outbound },
  });
  const { deps } = hub.impactIn;
  const neverAborted = new AbortController().signal;

  const ask = (companyId: string, method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, body?: unknown) =>
    hub.server.inject({
      method,
      url: `/api/v1/impact-in${path}`,
      headers: { 'x-test-company': companyId, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
    });
  const connectionBody = (api: PartnerApiName, more: object = {}) => ({
    api,
    name: 'Test',
    baseUrl: partner.baseUrl,
    ...(partnerApis[api].path.includes('{tenant}') ? { tenant: 'acme' } : {}),
    credentials: Object.fromEntries(
      credentialNames(partnerApis[api]).map((name) => [
        name,
        partner.credentials[name as keyof PartnerApis['credentials']],
      ]),
    ),
    requestsPerMinute: 60_000,
    ...more,
  });
  const connect = async (companyId: string, api: PartnerApiName, more: object = {}): Promise<string> => {
    const answer = await ask(companyId, 'POST', '/connections', connectionBody(api, more));
    if (answer.statusCode !== 201) throw new Error(answer.body);
    return answer.json<{ id: string }>().id;
  };
  const send = async (companyId: string, connectionId: string, more: object = {}): Promise<string> => {
    const body = { connectionId, payload, ...more };
    const answer = await ask(companyId, 'POST', '/deliveries', body);
    if (answer.statusCode !== 202) throw new Error(answer.body);
    return answer.json<{ id: string }>().id;
  };
  const detail = async (companyId: string, id: string) =>
    (await ask(companyId, 'GET', `/deliveries/${id}`)).json<DeliveryDetail>();

  /** As if the time for everything had come. */
  const hurry = async (): Promise<void> => {
    await hub.owner`update impact_in_outbound set due_at = now() - interval '1 second' where state = 'waiting'`;
    await hub.owner`update impact_in_connection set next_call_at = now() - interval '1 minute'`;
  };
  /** As if those who hold claims were gone. */
  const expireLeases = () =>
    hub.owner`update impact_in_outbound set due_at = now() - interval '1 second' where state = 'sending'`;
  /** Makes the calls that are due now, one after the other. @returns how many deliveries were attempted */
  const sendDue = async (): Promise<number> => {
    let attempted = 0;
    for (;;) {
      let now = 0;
      for (const target of await findDue(hub.db.systemSql))
        if (target.waitMs <= 0) now += await sendCall(deps, target, neverAborted);
      if (now === 0) return attempted;
      attempted += now;
    }
  };
  /** Attempts everything until nothing is open. */
  const sendAll = async (): Promise<void> => {
    for (let round = 0; round < 50; round += 1) {
      await hurry();
      if ((await sendDue()) === 0) return;
    }
    throw new Error('it does not end');
  };
  return {
    hub,
    partner,
    deps,
    ask,
    connect,
    connectionBody,
    send,
    detail,
    hurry,
    expireLeases,
    sendDue,
    sendAll,
    newTransactionId: () => `txn-${newId()}`,
    close: async () => {
      await hub.close();
      await partner.close();
    },
  };
};

/** The stage of a test file, to be awaited at its top; closed after its last test. */
export const useStage = async (options: StageOptions = {}): Promise<Stage> => {
  const stage = await createStage(options);
  afterAll(() => stage.close());
  return stage;
};
