import { connect, type Socket } from 'node:net';

/** Closed loop: every connection sends its next request when the answer is there. Open loop: a fixed rate, latency from the intended time. */
export type LoadShape = { kind: 'closed' } | { kind: 'open'; ratePerSecond: number };

export type Load = {
  host: string;
  port: number;
  connections: number;
  durationMs: number;
  shape: LoadShape;
};

export type LoadResult = {
  /** Answered ones. */
  requests: number;
  /** Sent or due, and without an answer at the end. */
  unanswered: number;
  seconds: number;
  requestsPerSecond: number;
  statuses: Record<string, number>;
  latencyMs: { p50: number; p95: number; p99: number; max: number };
};

const headerEnd = Buffer.from('\r\n\r\n');
const contentLength = /content-length: (\d+)/i;

/** Cuts complete answers off the front of `buffer`. @returns the rest */
const takeAnswers = (buffer: Buffer, onAnswer: (status: string) => void): Buffer => {
  let rest = buffer;
  for (;;) {
    const end = rest.indexOf(headerEnd);
    if (end === -1) return rest;
    const head = rest.toString('latin1', 0, end);
    const total = end + 4 + Number(contentLength.exec(head)?.[1] ?? 0);
    if (rest.length < total) return rest;
    onAnswer(head.slice(9, 12));
    rest = rest.subarray(total);
  }
};

/** The value that the share of all values does not exceed (nearest rank). @param sorted ascending */
export const percentile = (sorted: ArrayLike<number>, share: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;

type Connection = { socket: Socket; idle: boolean; intendedAtMs: number };

const openConnection = (load: Load, onAnswer: (connection: Connection, status: string) => void): Promise<Connection> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: load.host, port: load.port, noDelay: true });
    const connection: Connection = { socket, idle: true, intendedAtMs: 0 };
    let buffer: Buffer = Buffer.alloc(0);
    socket.on('connect', () => resolve(connection));
    socket.on('error', reject);
    socket.on('data', (chunk) => {
      buffer = takeAnswers(buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]), (status) =>
        onAnswer(connection, status),
      );
    });
  });

const graceMs = 10_000;
const tick = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Loads a server over plain sockets: about a quarter of the CPU of a full HTTP client, which shares the machine's cores.
 * In the open loop every request that became due is sent, however late, and its latency counts from when it was due.
 */
export const generateLoad = async (load: Load, requests: readonly Buffer[], repeat: boolean): Promise<LoadResult> => {
  const { shape } = load;
  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  const due: number[] = [];
  const idle: Connection[] = [];
  let firstDue = 0;
  let next = 0;
  let closing = false;
  let lastAnswerAtMs = 0;

  const isUsedUp = (): boolean => !repeat && next >= requests.length;
  const send = (connection: Connection, intendedAtMs: number): void => {
    const request = requests[next++ % requests.length];
    if (request === undefined) throw new Error('no requests were given');
    connection.idle = false;
    connection.intendedAtMs = intendedAtMs;
    connection.socket.write(request);
  };
  const rest = (connection: Connection): void => {
    connection.idle = true;
    idle.push(connection);
  };
  const onAnswer = (connection: Connection, status: string): void => {
    lastAnswerAtMs = performance.now();
    statuses[status] = (statuses[status] ?? 0) + 1;
    latencies.push(lastAnswerAtMs - connection.intendedAtMs);
    if (shape.kind === 'open' && firstDue < due.length) send(connection, due[firstDue++] ?? 0);
    else if (shape.kind === 'closed' && !closing && !isUsedUp()) send(connection, lastAnswerAtMs);
    else rest(connection);
  };

  const connections = await Promise.all(Array.from({ length: load.connections }, () => openConnection(load, onAnswer)));
  const startedAtMs = performance.now();
  const endAtMs = startedAtMs + load.durationMs;
  if (shape.kind === 'closed') {
    for (const connection of connections) send(connection, performance.now());
    while (performance.now() < endAtMs && !isUsedUp()) await tick(5);
  } else {
    idle.push(...connections);
    const periodMs = 1_000 / shape.ratePerSecond;
    for (let dueAtMs = startedAtMs; dueAtMs < endAtMs;) {
      for (; dueAtMs <= performance.now() && dueAtMs < endAtMs; dueAtMs += periodMs) {
        // All in turn: a server closes a connection on which it has waited long for the first request.
        const connection = idle.shift();
        if (connection === undefined) due.push(dueAtMs);
        else send(connection, dueAtMs);
      }
      await tick(1);
    }
  }
  closing = true;
  const isDone = (): boolean => firstDue >= due.length && connections.every((connection) => connection.idle);
  for (const graceEndsAtMs = performance.now() + graceMs; !isDone() && performance.now() < graceEndsAtMs;)
    await tick(2);
  const unanswered = due.length - firstDue + connections.filter((connection) => !connection.idle).length;
  for (const connection of connections) connection.socket.destroy();

  const sorted = Float64Array.from(latencies).sort();
  const seconds = (lastAnswerAtMs - startedAtMs) / 1_000;
  return {
    requests: latencies.length,
    unanswered,
    seconds,
    requestsPerSecond: latencies.length / seconds,
    statuses,
    latencyMs: {
      p50: percentile(sorted, 0.5),
      p95: percentile(sorted, 0.95),
      p99: percentile(sorted, 0.99),
      max: sorted.at(-1) ?? Number.NaN,
    },
  };
};
