import type { Command } from 'commander';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { note, printFields, printJson, printTable } from '../hub-api/print.ts';
import { readPages } from '../hub-api/read-pages.ts';
import { connectionsPath, pathOfConnection, printConnection, type Connection } from './describe-connection.ts';

const sampleId = '01a1fd2a-43a6-75a0-ab21-6e9a3a717903';

/** `hub connections list` */
export const addList = (connections: Command, withHub: WithHub): Command =>
  hubCommand(connections, 'list', "list the company's connections, newest first", 'hub connections list')
    .option('--partner <partner>', 'only benevity, goodera or workday')
    .action((options: CommonOptions & { partner?: string }) =>
      withHub(options, async (hub) => {
        const found = await readPages<Connection>(hub, connectionsPath, { partner: options.partner });
        if (options.json === true) return printJson(found);
        if (found.data.length === 0) return note('There is no such connection. Make one with: hub connections create');
        printTable(
          ['connection', 'name', 'partner', 'api', 'address', 'state', 'calls a minute'],
          found.data.map((one) => [
            one.id,
            one.name,
            one.partner,
            one.api,
            one.baseUrl,
            one.state,
            one.requestsPerMinute,
          ]),
        );
      }),
    );

/** `hub connections show` */
export const addShow = (connections: Command, withHub: WithHub): Command =>
  hubCommand(
    connections,
    'show <connectionId>',
    'show one connection, without its credentials',
    `hub connections show ${sampleId}`,
  ).action((id: string, options: CommonOptions) =>
    withHub(options, async (hub) => printConnection(await hub.call('GET', pathOfConnection(id)), options)),
  );

type Tested = {
  reachable: boolean;
  authorized: boolean | null;
  httpStatus: number | null;
  detail: string;
  durationMs: number;
};

const told = (answer: boolean | null): string => (answer === null ? 'cannot be told' : answer ? 'yes' : 'no');

/** `hub connections test`; ends with 1 when the partner cannot be reached or refuses the credentials. */
export const addTest = (connections: Command, withHub: WithHub): Command =>
  hubCommand(
    connections,
    'test <connectionId>',
    'try a connection without sending anything that has an effect',
    `hub connections test ${sampleId}`,
  ).action((id: string, options: CommonOptions) =>
    withHub(options, async (hub) => {
      const tested = await hub.call<Tested>('POST', pathOfConnection(id, '/test'));
      const { reachable, authorized, httpStatus, detail, durationMs } = tested;
      if (options.json === true) printJson(tested);
      else
        printFields({
          reachable: told(reachable),
          authorized: told(authorized),
          status: httpStatus,
          'what was found': detail,
          within: `${Math.round(durationMs)} ms`,
        });
      if (!reachable || authorized === false) process.exitCode = 1;
    }),
  );
