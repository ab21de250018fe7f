import { randomUUID } from 'node:crypto';
import { faults } from '@impact-hub/impact-in';
import { loadSettings } from '../config/load-settings.ts';
import { credentialsFile, readCredentials, type Credentials, type EndpointCredentials } from '../credentials.ts';
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

/** How many rows there were, how many did not end as they must, and by which scheme an intact event was refused. */
type Shown = { rows: number; broken: number; refused: string | undefined };

/** Plays a scene and shows its table. */
const show = async (title: string, scene: AsyncGenerator<Played>): Promise<Shown> => {
  say(`\n${title}`);
  const played: Played[] = [];
  for await (const each of scene) {
    played.push(each);
    if (process.stderr.isTTY) process.stderr.write('.');
  }
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
  say(textTable([headings, ...played.map(rowOf)]));
  const broken = played.filter(({ keptPromise }) => !keptPromise);
  const refused = broken.find(({ what, answers }) => what === faults.good.says && answers === '401');
  return { rows: played.length, broken: broken.length, refused: refused?.who };
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

const isNoLongerAccepted = (scheme: string): CommandError =>
  new CommandError(
    `The secret of the endpoint by ${scheme} in credentials.json is no longer accepted; write the present one there,` +
      ' or take the endpoint out of the file.',
  );

/** @throws CommandError when the hub gives no token for what the file says */
const openAccepted = (baseUrl: string, endpoint: EndpointCredentials): Promise<DemoEndpoint> =>
  openKept(baseUrl, endpoint).catch(() => {
    throw isNoLongerAccepted(endpoint.scheme);
  });

const playAll = async (environment: NodeJS.ProcessEnv, credentials: Credentials, seed: string): Promise<Shown> => {
  const startedAt = new Date();
  const hub = hubClient(credentials);
  const kept: DemoEndpoint[] = [];
  for (const endpoint of credentials.endpoints) kept.push(await openAccepted(credentials.baseUrl, endpoint));
  const made = await makeDemoEndpoints(hub);
  const results: Shown[] = [];
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
  const sum = (numberOf: (one: Shown) => number): number => results.reduce((all, one) => all + numberOf(one), 0);
  const refused = results.find((one) => one.refused !== undefined)?.refused;
  return { rows: sum(({ rows }) => rows), broken: sum(({ broken }) => broken), refused };
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
  const { rows, broken, refused } = await playAll(environment, credentials, seed);
  if (refused !== undefined && credentials.endpoints.some(({ scheme }) => scheme === refused))
    throw isNoLongerAccepted(refused);
  if (broken > 0) throw new CommandError(`${broken} of ${rows} did not end as they must; see the rows marked NOT OK.`);
  say(`\nAll ${rows} ended as they must.`);
};
