import type { Command } from 'commander';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { note, printJson, printTable, when } from '../hub-api/print.ts';
import { readPages } from '../hub-api/read-pages.ts';
import { endpointsPath, pathOfEndpoint, printEndpoint, standing, type Endpoint } from './describe-endpoint.ts';

type ListOptions = CommonOptions & { partner?: string; silent?: boolean };

/** `hub endpoints list` */
export const addList = (endpoints: Command, withHub: WithHub): Command =>
  hubCommand(endpoints, 'list', 'list the receivers of the company, newest first', 'hub endpoints list --silent')
    .option('--partner <partner>', 'only benevity, goodera or workday')
    .option('--silent', 'only those whose partner is silent for too long')
    .action((options: ListOptions) =>
      withHub(options, async (hub) => {
        const query = { partner: options.partner, silent: options.silent === true ? 'true' : undefined };
        const found = await readPages<Endpoint>(hub, endpointsPath, query);
        if (options.json === true) return printJson(found);
        if (found.data.length === 0)
          return note(
            options.silent === true
              ? 'No partner is silent.'
              : 'There is no such endpoint. Make one with: hub endpoints create',
          );
        printTable(
          ['endpoint', 'name', 'partner', 'scheme', 'state', 'last received'],
          found.data.map((one) => [one.id, one.name, one.partner, one.scheme, standing(one), when(one.lastReceivedAt)]),
        );
      }),
    );

/** `hub endpoints show` */
export const addShow = (endpoints: Command, withHub: WithHub): Command =>
  hubCommand(
    endpoints,
    'show <endpointId>',
    'show one receiver and which of its secrets matched when',
    'hub endpoints show 01a1fd2a-43a6-75a0-ab21-6e9a3a717903',
  ).action((id: string, options: CommonOptions) =>
    withHub(options, async (hub) => {
      printEndpoint(await hub.call<Endpoint>('GET', pathOfEndpoint(id)), options);
    }),
  );
