import { randomUUID } from 'node:crypto';
import { loadSettings } from '../config/load-settings.ts';
import { credentialsFile, readCredentials, type Credentials } from '../credentials.ts';
import { makeDemoEndpoints, openKept, type DemoEndpoint } from '../demo/demo-endpoints.ts';
import { hubClient, type HubClient } from '../demo/hub-client.ts';
import { playPartners } from '../demo/play-partners.ts';
import { playReplay } from '../demo/play-replay.ts';
import { playRotation } from '../demo/play-rotation.ts';
import { playSending } from '../demo/play-sending.ts';
import type { Played } from '../demo/scene.ts';
import { textTable } from '../demo/text-table.ts';
import { CommandError } from './hub-api/command-errors.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const headings = ['', 'by', 'what happened', 'answers', 'what became of it'];

const rowOf = ({ keptPromise, who, what, answers, became }: Played): string[] => [
  keptPromise ? 'ok' : 'NOT OK',
  who,
  what,
  answers,
  became,
];

/** Plays a scene and shows its table. @returns how many rows there were, and how many did not end as they must */
const show = async (title: string, scene: AsyncGenerator<Played>): Promise<{ rows: number; broken: number }> => {
  say(`\n${title}`);
  const played: Played[] = [];
  for await (const each of scene) {
    played.push(each);
    if (process.stderr.isTTY) process.stderr.write('.');
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  say(textTable([headings, ...played.map(rowOf)]));
  return { rows: played.length, broken: played.filter(({ keptPromise }) => !keptPromise).length };
};

type AuditEvent = { at: string; type: string; result: string; resource: { type: string; id: string } | null };

const shownEvents = 8;

const showAuditTrail = async (hub: HubClient, from: Date): Promise<void> => {
  const { data } = await hub.get<{ data: AuditEvent[] }>(`/api/v1/audit/events?from=${from.toISOString()}&limit=200`);
  say(
    `\nAudit trail since the start of the demo, newest first (${Math.min(data.length, shownEvents)} of ${data.length} events):`,
  );
  say(
    textTable(
      data
        .slice(0, shownEvents)
        .map((event) => [
          event.at,
          event.type,
          event.result,
          event.resource === null ? '' : `${event.resource.type} ${event.resource.id}`,
        ]),
    ),
  );
};

const showMetrics = async (hub: HubClient): Promise<void> => {
  const text = await hub.getText('/metrics');
  say('\nMetrics:');
  for (const line of text.split('\n'))
    if (/^(impact_in_deliveries_total|api_keys_usage_total|jobs_total|jobs_oldest_due_seconds)/.test(line))
      say(`  ${line}`);
};

/** The settings of the running hub decide whether it may call this machine. */
const mayCallThisMachine = (environment: NodeJS.ProcessEnv): boolean =>
  loadSettings(environment).HUB_PARTNER_PRIVATE_ADDRESSES === 'allow';

const playAll = async (
  environment: NodeJS.ProcessEnv,
  credentials: Credentials,
  seed: string,
): Promise<{ rows: number; broken: number }> => {
  const startedAt = new Date();
  const hub = hubClient(credentials);
  const kept: DemoEndpoint[] = [];
  for (const endpoint of credentials.endpoints) kept.push(await openKept(credentials.baseUrl, endpoint));
  const made = await makeDemoEndpoints(hub);
  const results: { rows: number; broken: number }[] = [];
  try {
    results.push(await show('Partners send webhooks:', playPartners(hub, [...kept, ...made.endpoints], seed)));
    const rotated = made.endpoints.find(({ scheme }) => scheme === 'standard-webhooks');
    if (rotated !== undefined)
      results.push(await show('A secret is replaced without a gap:', playRotation(hub, rotated, seed)));
    const benevity = kept.find(({ partner }) => partner === 'benevity');
    if (benevity !== undefined && mayCallThisMachine(environment))
      results.push(await show('An event is sent to a partner:', playSending(hub, benevity)));
    else say('\nTo see events sent to a partner, start hub and demo with HUB_PARTNER_PRIVATE_ADDRESSES=allow.');
    const tell = (line: string): void => void process.stderr.write(`  ${line}\n`);
    results.push(await show('What came in is replayed:', playReplay(hub, startedAt, tell)));
  } finally {
    await made.forget();
  }
  await showAuditTrail(hub, startedAt);
  await showMetrics(hub);
  const sum = (numberOf: (one: { rows: number; broken: number }) => number): number =>
    results.reduce((all, one) => all + numberOf(one), 0);
  return { rows: sum(({ rows }) => rows), broken: sum(({ broken }) => broken) };
};

/**
 * Drives the running hub with the partner simulators and shows what became of everything, the audit trail and the
 * metrics. @throws CommandError when the hub is not running or did not do what it promises
 */
export const runDemo = async (environment: NodeJS.ProcessEnv, seed: string = randomUUID()): Promise<void> => {
  const { HUB_DATA_DIR } = loadSettings(environment);
  const credentials = await readCredentials(HUB_DATA_DIR);
  if (credentials === undefined)
    throw new CommandError(`There is no ${credentialsFile(HUB_DATA_DIR)}; start the hub first with: npm start`);
  await hubClient(credentials).get('/ready');
  say(`Playing partners against ${credentials.baseUrl} (seed ${seed})`);
  const { rows, broken } = await playAll(environment, credentials, seed);
  if (broken > 0) throw new CommandError(`${broken} of ${rows} did not end as they must; see the rows marked NOT OK.`);
  say(`\nAll ${rows} ended as they must.`);
};
