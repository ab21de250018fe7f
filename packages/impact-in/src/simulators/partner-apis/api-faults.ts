import type { IncomingMessage, ServerResponse } from 'node:http';

/** What a stand-in can do wrong with one call that delivers something. */
export const apiFaults = {
  resetBeforeCommit: 'breaks the connection without having kept the event',
  resetAfterCommit: 'keeps the event and breaks the connection before the answer',
  hangBeforeCommit: 'never answers, and keeps nothing',
  hangAfterCommit: 'keeps the event and never answers',
  slowBody: 'keeps the event and never ends its answer',
  garbageAfterCommit: 'keeps the event and answers bytes that mean nothing',
  hugeAfterCommit: 'keeps the event and answers megabytes',
  error500: 'answers 500 and keeps nothing',
  error500AfterCommit: 'keeps the event and answers 500',
  unavailable503: 'answers 503 with Retry-After: 1',
  tooMany429: 'answers 429 with Retry-After: 1',
  expiredToken401: 'forgets all tokens, as if they had expired',
  badRequest400: 'refuses the event',
  redirect307: 'sends the caller elsewhere',
} as const;
export type ApiFault = keyof typeof apiFaults;
export const apiFaultNames = Object.keys(apiFaults) as ApiFault[];

/** Faults after which the event is there all the same. */
export const commitsFirst: ReadonlySet<ApiFault> = new Set([
  'resetAfterCommit',
  'hangAfterCommit',
  'slowBody',
  'garbageAfterCommit',
  'hugeAfterCommit',
  'error500AfterCommit',
]);

const json = (response: ServerResponse, status: number, headers: Record<string, string>, body: unknown): void =>
  void response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));

/** Answers as the fault wants it; what it keeps has been kept before. */
export const showFault = (fault: ApiFault, request: IncomingMessage, response: ServerResponse): void => {
  switch (fault) {
    case 'resetBeforeCommit':
    case 'resetAfterCommit':
      return void request.socket.resetAndDestroy();
    case 'hangBeforeCommit':
    case 'hangAfterCommit':
      return;
    case 'slowBody':
      return void response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' })
        .write('{"status":');
    case 'garbageAfterCommit':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end('<html>\u0000\uFFFD');
    case 'hugeAfterCommit':
      return void response.writeHead(200, { 'content-type': 'application/json' }).end(`"${'x'.repeat(3_000_000)}"`);
    case 'error500':
    case 'error500AfterCommit':
      return json(response, 500, {}, { error: 'internal' });
    case 'unavailable503':
      return json(response, 503, { 'retry-after': '1' }, { error: 'maintenance' });
    case 'tooMany429':
      return json(response, 429, { 'retry-after': '1' }, { error: 'slow down' });
    case 'expiredToken401':
      return json(response, 401, {}, { error: 'invalid_token' });
    case 'badRequest400':
      return json(
        response,
        400,
        {},
        { status: 'failed', error: 'the activity is unknown', error_message: 'the activity is unknown' },
      );
    case 'redirect307':
      return void response.writeHead(307, { location: 'http://127.0.0.1:1/elsewhere' }).end();
  }
};
