import { Agent, request as httpRequest } from 'node:http';

export type Backend = { url: string; ready: boolean };

export type LoadReport = {
  answered: number;
  /** Whatever was not a 2xx: statuses and socket errors, by name. */
  failures: Map<string, number>;
  /** Ids of the things whose making was acknowledged. */
  acknowledged: Set<string>;
};

type Call = { method: 'GET' | 'POST'; path: string; headers: Record<string, string>; body?: Buffer };
type Answer = { status: number; body: string };

const send = (agent: Agent, base: string, { method, path, headers, body }: Call): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) };
    const request = httpRequest(`${base}${path}`, { agent, method, headers: { ...headers, ...length } }, (response) => {
      let text = '';
      response
        .on('data', (chunk) => (text += String(chunk)))
        .on('end', () => resolve({ status: response.statusCode ?? 0, body: text }))
        .on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });

const pollReadyEveryMs = 50;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keeps `ready` of each backend up to date, as a load balancer's health check does. */
export const watchReadiness = (backends: readonly Backend[]): { stop(): void } => {
  let stopped = false;
  const check = async (backend: Backend): Promise<void> => {
    while (!stopped) {
      const answer = await fetch(`${backend.url}/ready`, { headers: { connection: 'close' } }).catch(() => undefined);
      backend.ready = answer?.ok === true;
      await answer?.body?.cancel();
      await pause(pollReadyEveryMs);
    }
  };
  for (const backend of backends) void check(backend);
  return { stop: () => void (stopped = true) };
};

/**
 * Clients that call without a pause over kept-alive connections, in turn over all backends that are ready. Nothing is
 * repeated: whatever fails has failed.
 */
export const startRollingLoad = (
  backends: readonly Backend[],
  clients: number,
  makeCall: (number: number) => Call & { id?: string },
): { report: LoadReport; stop(): Promise<LoadReport> } => {
  const report: LoadReport = { answered: 0, failures: new Map(), acknowledged: new Set() };
  const agents = new Map(backends.map((backend) => [backend, new Agent({ keepAlive: true, maxSockets: clients })]));
  const fail = (what: string): void => void report.failures.set(what, (report.failures.get(what) ?? 0) + 1);
  let stopped = false;
  let number = 0;
  const run = async (): Promise<void> => {
    while (!stopped) {
      const ready = backends.filter((backend) => backend.ready);
      const turn = number++;
      const backend = ready[turn % ready.length];
      if (backend === undefined) {
        fail('no backend is ready');
        await pause(pollReadyEveryMs);
        continue;
      }
      const call = makeCall(turn);
      try {
        const { status, body } = await send(agents.get(backend) as Agent, backend.url, call);
        if (status < 200 || status > 299) fail(`${call.method} ${status} ${body.slice(0, 200)}`);
        else if (call.id !== undefined) report.acknowledged.add(call.id);
        report.answered += 1;
      } catch (error) {
        fail(`${call.method} ${(error as NodeJS.ErrnoException).code ?? String(error)}`);
      }
      await pause(1);
    }
  };
  const running = Array.from({ length: clients }, run);
  return {
    report,
    stop: async () => {
      stopped = true;
      await Promise.all(running);
      for (const agent of agents.values()) agent.destroy();
      return report;
    },
  };
};
