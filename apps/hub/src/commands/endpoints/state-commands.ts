import type { Command } from 'commander';
import { confirm } from '../hub-api/confirm.ts';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { printJson, printLine, when } from '../hub-api/print.ts';
import { pathOfEndpoint, type Endpoint } from './describe-endpoint.ts';
import { keepDeleted } from './keep-credentials.ts';

const sampleId = '01a1fd2a-43a6-75a0-ab21-6e9a3a717903';

/** `hub endpoints pause` and `resume` */
export const addSwitch = (
  endpoints: Command,
  withHub: WithHub,
  name: 'pause' | 'resume',
  description: string,
): Command =>
  hubCommand(endpoints, `${name} <endpointId>`, description, `hub endpoints ${name} ${sampleId}`).action(
    (id: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const endpoint = await hub.call<Endpoint>('POST', pathOfEndpoint(id, `/${name}`));
        if (options.json === true) printJson(endpoint);
        else printLine(`Endpoint ${endpoint.id} is ${endpoint.state}.`);
      }),
  );

/** `hub endpoints delete` */
export const addDelete = (endpoints: Command, withHub: WithHub, environment: NodeJS.ProcessEnv): Command =>
  hubCommand(
    endpoints,
    'delete <endpointId>',
    'delete a receiver; what it received stays to be read',
    `hub endpoints delete ${sampleId} --reason "Moved to another account" --yes`,
  )
    .option('--reason <text>', 'kept in the audit log')
    .option('--yes', 'do not ask')
    .action((given: string, options: CommonOptions & { reason?: string; yes?: boolean }) =>
      withHub(options, async (hub) => {
        const id = goodId(given, 'endpoint');
        const warning = 'Deleting cannot be undone, and what the partner sends from then on is refused.';
        if (options.yes !== true) await confirm({ id, warning, verb: 'delete', otherwise: 'Nothing was deleted.' });
        const { reason } = options;
        const gone = await hub.call<{ id: string; deletedAt: string }>('DELETE', pathOfEndpoint(id), { reason });
        if (options.json === true) printJson(gone);
        else printLine(`Endpoint ${gone.id} was deleted ${when(gone.deletedAt)}.`);
        await keepDeleted(environment, gone.id);
      }),
    );
