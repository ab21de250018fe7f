import { randomUUID } from 'node:crypto';
import { loadSettings, StartError } from '../config/load-settings.ts';
import { credentialsFile, readCredentials } from '../credentials.ts';
import { hubClient, type HubClient } from '../demo/hub-client.ts';
import { playPartners, type Played } from '../demo/play-partners.ts';
import { textTable } from '../demo/text-table.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const rowOf = (played: Played): string[] => [
  played.keptPromise ? 'ok' : 'NOT OK',
  played.endpoint.scheme,
  played.says,
  played.answers.map((answer) => answer.status).join(', '),
  played.became,
];

type AuditEvent = { at: string; type: string; result: string; resource: { type: string; id: string } | null };

const shownEvents = 12;

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

/**
 * Drives the running hub with the partner simulators and shows what became of each request, the audit trail and the
 * metrics. @throws StartError when the hub is not running or did not do what it promises
 */
export const runDemo = async (environment: NodeJS.ProcessEnv, seed: string = randomUUID()): Promise<void> => {
  const { HUB_DATA_DIR } = loadSettings(environment);
  const credentials = await readCredentials(HUB_DATA_DIR);
  if (credentials === undefined)
    throw new StartError(`There is no ${credentialsFile(HUB_DATA_DIR)}; start the hub first with: npm start`);
  const startedAt = new Date();
  const hub = hubClient(credentials);
  await hub.get('/ready');
  say(`Playing ${credentials.endpoints.length} endpoints against ${credentials.baseUrl} (seed ${seed})\n`);
  const rows = [['', 'scheme', 'what was sent', 'answers', 'what became of it']];
  let broken = 0;
  for await (const played of playPartners(hub, credentials.baseUrl, credentials.endpoints, seed)) {
    rows.push(rowOf(played));
    if (!played.keptPromise) broken += 1;
    process.stderr.write('.');
  }
  process.stderr.write('\n');
  say(textTable(rows));
  await showAuditTrail(hub, startedAt);
  await showMetrics(hub);
  if (broken > 0)
    throw new StartError(
      `${broken} of ${rows.length - 1} requests did not end as they must; see the rows marked NOT OK.`,
    );
  say(`\nAll ${rows.length - 1} ended as they must.`);
};
