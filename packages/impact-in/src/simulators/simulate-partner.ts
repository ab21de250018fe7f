import { expectedStatusesOf, faults, injectFault, type FaultInput, type FaultName } from './inject-fault.ts';
import type { SignedRequest } from './sign-request.ts';

export type Fetch = typeof globalThis.fetch;

export type Answer = { status: number; body: unknown; durationMs: number };

export type Simulation = { fault: FaultName; says: string; answers: Answer[]; asExpected: boolean };

const answerTimeoutMs = 30_000;

const parseAnswer = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
};

/** Sends one request and reports what came back. @throws TypeError of fetch when nobody answers */
export const sendRequest = async (url: string, request: SignedRequest, fetch: Fetch): Promise<Answer> => {
  const startedAtMs = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    headers: request.headers,
    body: new Uint8Array(request.body),
    redirect: 'error',
    signal: AbortSignal.timeout(answerTimeoutMs),
  });
  const body = parseAnswer(await response.text());
  return { status: response.status, body, durationMs: performance.now() - startedAtMs };
};

const saysDuplicate = (answer: Answer | undefined): boolean =>
  typeof answer?.body === 'object' &&
  answer.body !== null &&
  (answer.body as { duplicate?: unknown }).duplicate === true;

/** Plays a partner against a receiver's address: sends what the fault calls for, one after the other. */
export const simulatePartner = async (
  url: string,
  fault: FaultName,
  input: FaultInput,
  fetch: Fetch = globalThis.fetch,
): Promise<Simulation> => {
  const { says, endsKnown = false } = faults[fault];
  const expectedStatuses = expectedStatusesOf(fault, input.scheme);
  const answers: Answer[] = [];
  for (const request of injectFault(fault, input)) answers.push(await sendRequest(url, request, fetch));
  const statusesAsExpected = answers.every((answer, index) => answer.status === expectedStatuses[index]);
  const asExpected = statusesAsExpected && (!endsKnown || saysDuplicate(answers[1]));
  return { fault, says, answers, asExpected };
};
