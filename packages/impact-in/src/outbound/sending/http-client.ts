import { connectGuarded, PrivateAddressError, traceHeaders, type LookUp } from '@impact-hub/core';
import { Agent, request } from 'undici';

export type HttpCall = {
  method: 'GET' | 'POST';
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: string;
};

export type HttpAnswer = { status: number; headers: Readonly<Record<string, string>>; body: string };

export const callErrorClasses = [
  'unreachable',
  'tls',
  'private_address',
  'timeout',
  'connection_lost',
  'answer_too_large',
  'aborted',
] as const;

/** No whole answer came. Says nothing that the partner or the company wrote. */
export class CallFailed extends Error {
  override readonly name = 'CallFailed';
  readonly errorClass: (typeof callErrorClasses)[number];
  /** Whether the partner may have received the request all the same. */
  readonly mayHaveArrived: boolean;
  /** The status of an answer that did not come to its end. */
  readonly status: number | null;
  constructor(errorClass: CallFailed['errorClass'], mayHaveArrived: boolean, status: number | null, cause: unknown) {
    super(errorClass, { cause });
    this.errorClass = errorClass;
    this.mayHaveArrived = mayHaveArrived;
    this.status = status;
  }
}

export type HttpClient = {
  /** Makes one call; follows no redirect. @throws CallFailed */
  call(call: HttpCall, signal?: AbortSignal): Promise<HttpAnswer>;
  close(): Promise<void>;
};

export type HttpClientOptions = {
  allowPrivateAddresses: boolean;
  /** For the whole call, connecting included. */
  timeoutMs: number;
  connectTimeoutMs: number;
  maxAnswerBytes: number;
  connectionsPerHost: number;
  lookUp?: LookUp;
};

/**
 * An answer is a few hundred bytes, a batch's some ten thousand; partners are slow rather than fast. A host has room for
 * all calls of a process (`start-sender.ts`): one company's that hang must not keep another's from being made.
 */
export const httpClientDefaults = {
  timeoutMs: 20_000,
  connectTimeoutMs: 5_000,
  maxAnswerBytes: 262_144,
  connectionsPerHost: 64,
} as const;

const neverConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const isOfTls = (code: string): boolean => /^(?:ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED)/.test(code);

class TooLarge extends Error {}

const failureOf = (error: unknown, status: number | null, timedOut: boolean): CallFailed => {
  const code = String((error as { code?: unknown }).code ?? '');
  if (error instanceof PrivateAddressError) return new CallFailed('private_address', false, status, error);
  if (neverConnected.has(code)) return new CallFailed('unreachable', false, status, error);
  if (isOfTls(code)) return new CallFailed('tls', false, status, error);
  if (error instanceof TooLarge) return new CallFailed('answer_too_large', true, status, error);
  if (timedOut || code.endsWith('_TIMEOUT')) return new CallFailed('timeout', true, status, error);
  if ((error as Error).name === 'AbortError') return new CallFailed('aborted', true, status, error);
  return new CallFailed('connection_lost', true, status, error);
};

const readBody = async (body: AsyncIterable<Buffer>, maxBytes: number): Promise<string> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new TooLarge('the answer is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const textOf = (value: string | string[] | undefined): string =>
  Array.isArray(value) ? (value[0] ?? '') : (value ?? '');

/** Makes the client all calls to partners go through: bounded in time and size, to public addresses only. */
export const createHttpClient = (options: HttpClientOptions): HttpClient => {
  const { timeoutMs, maxAnswerBytes } = options;
  const agent = new Agent({
    connect: connectGuarded(options),
    connections: options.connectionsPerHost,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  return {
    call: async ({ method, url, headers, body }, signal) => {
      const deadline = AbortSignal.timeout(timeoutMs);
      let status: number | null = null;
      try {
        const answer = await request(url, {
          dispatcher: agent,
          method,
          headers: { ...headers, ...traceHeaders() },
          body: body ?? null,
          signal: signal === undefined ? deadline : AbortSignal.any([deadline, signal]),
        });
        status = answer.statusCode;
        const text = await readBody(answer.body, maxAnswerBytes);
        const named = Object.entries(answer.headers).map(([name, value]) => [name, textOf(value)]);
        return { status, headers: Object.fromEntries(named) as Record<string, string>, body: text };
      } catch (error) {
        throw failureOf(error, status, deadline.aborted);
      }
    },
    close: () => agent.destroy(),
  };
};
