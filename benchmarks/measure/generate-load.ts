import { connect, type Socket } from 'node:net';

/** Closed loop: every connection sends its next request when the answer is there. Open loop: a fixed rate, latency from the intended time. */
export type LoadShape = { kind: 'closed' } | { kind: 'open'; ratePerSecond: number };

export type Load = {
  host: string;
  port: number;
  connections: number;
  durationMs: number;
  shape: LoadShape;
  /** Complete HTTP/1.1 requests, used in turn. */
  requests: readonly Buffer[];
};

export type LoadResult = {
  requests: number;
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

const percentile = (sorted: Float64Array, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

const summarise = (latencies: number[], statuses: Record<string, number>, seconds: number): LoadResult => {
  const sorted = Float64Array.from(latencies).sort();
  return {
    requests: latencies.length,
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

type Connection = { socket: Socket; idle: boolean; sentAtMs: number };

/** Loads a server over plain sockets: about a quarter of the CPU of a full HTTP client, which shares our two cores. */
export const generateLoad = async (load: Load): Promise<LoadResult> => {
  const latencies: number[] = [];
  const statuses: Record<string, number> = {};
  const waiting: number[] = [];
  let next = 0;
  let stopped = false;
  const idle: Connection[] = [];

  const send = (connection: Connection, intendedAtMs: number): void => {
    const request = load.requests[next++ % load.requests.length];
    if (request === undefined) throw new Error('no requests were given');
    connection.idle = false;
    connection.sentAtMs = intendedAtMs;
    connection.socket.write(request);
  };

  const onAnswer = (connection: Connection, status: string): void => {
    statuses[status] = (statuses[status] ?? 0) + 1;
    latencies.push(performance.now() - connection.sentAtMs);
    connection.idle = true;
    if (stopped) return;
    if (load.shape.kind === 'closed') send(connection, performance.now());
    else {
      const intendedAtMs = waiting.shift();
      if (intendedAtMs === undefined) idle.push(connection);
      else send(connection, intendedAtMs);
    }
  };

  const open = (): Promise<Connection> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: load.host, port: load.port, noDelay: true });
      const connection: Connection = { socket, idle: true, sentAtMs: 0 };
      let buffer: Buffer = Buffer.alloc(0);
      socket.on('connect', () => resolve(connection));
      socket.on('error', reject);
      socket.on('data', (chunk) => {
        buffer = takeAnswers(buffer.length === 0 ? chunk : Buffer.concat([buffer, chunk]), (status) =>
          onAnswer(connection, status),
        );
      });
    });

  const connections = await Promise.all(Array.from({ length: load.connections }, open));
  const startedAtMs = performance.now();
  const endAtMs = startedAtMs + load.durationMs;
  if (load.shape.kind === 'closed') {
    for (const connection of connections) send(connection, performance.now());
    await new Promise((resolve) => setTimeout(resolve, load.durationMs));
  } else {
    idle.push(...connections);
    const periodMs = 1_000 / load.shape.ratePerSecond;
    let dueAtMs = startedAtMs;
    while (performance.now() < endAtMs) {
      while (dueAtMs <= performance.now()) {
        const connection = idle.pop();
        if (connection === undefined) waiting.push(dueAtMs);
        else send(connection, dueAtMs);
        dueAtMs += periodMs;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
  stopped = true;
  const seconds = (performance.now() - startedAtMs) / 1_000;
  const graceEndsAtMs = performance.now() + 5_000;
  while (connections.some((connection) => !connection.idle) && performance.now() < graceEndsAtMs)
    await new Promise((resolve) => setTimeout(resolve, 5));
  for (const connection of connections) connection.socket.destroy();
  return summarise(latencies, statuses, seconds);
};

/** The bytes of one HTTP/1.1 request on a kept-alive connection. */
export const httpRequest = (method: string, path: string, headers: Record<string, string>, body?: Buffer): Buffer => {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: 127.0.0.1',
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  return body === undefined ? head : Buffer.concat([head, body]);
};
