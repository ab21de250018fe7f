import type { ChaosCompany } from './chaos-companies.ts';
import type { Installation } from './chaos-installation.ts';
import type { Ledger } from './chaos-ledger.ts';

/** Some thousand deliveries in the end, while live traffic goes first. */
const windowMs = 5_000;
const ratePerSecond = 500;
/** Some minutes: on a busy machine a killed process takes its time to come back, and may be killed again. */
const attempts = 600;

/** Has a company replay what it received within some seconds; asked again under one key until the hub has answered. */
const startReplay = async (hub: Installation, { apiKey }: ChaosCompany, fromMs: number): Promise<void> => {
  const [from, to] = [fromMs, fromMs + windowMs].map((ms) => new Date(ms).toISOString());
  const headers = {
    'x-api-key': apiKey,
    'content-type': 'application/json',
    'idempotency-key': crypto.randomUUID(),
  };
  const body = JSON.stringify({ from, to, direction: 'inbound', ratePerSecond, reason: 'chaos' });
  let last = '';
  for (let attempt = 1; attempt <= attempts; attempt += 1) {
    const signal = AbortSignal.timeout(10_000);
    const init = { method: 'POST', headers, body, signal };
    last = await fetch(`${hub.urls[attempt % hub.urls.length]}/api/v1/impact-in/deliveries/bulk-replay`, init).then(
      async (response) => `${response.status} ${await response.text()}`,
      String,
    );
    if (last.startsWith('202')) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`the replay was not taken: ${last}`);
};

/** Lets replays run during the faults. */
export const startReplays = (hub: Installation, ledger: Ledger) => {
  const startedAtMs = Date.now();
  const starting: Promise<void>[] = [];
  return {
    /** Begins one of each company, about the last seconds. */
    begin: (): void => {
      const fromMs = Math.max(startedAtMs, Date.now() - windowMs);
      for (const company of hub.companies)
        starting.push(
          startReplay(hub, company, fromMs).catch((error: unknown) => void ledger.wrongAnswers.push(String(error))),
        );
    },
    allBegun: async (): Promise<void> => void (await Promise.all(starting)),
  };
};
