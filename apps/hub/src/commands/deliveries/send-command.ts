import type { Command } from 'commander';
import { readJsonFile } from '../endpoints/read-given.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { note, printJson, printLine } from '../hub-api/print.ts';

type SendOptions = CommonOptions & {
  connection?: string;
  partner?: string;
  payloadFile: string;
  transactionId?: string;
  eventType?: string;
};

/** `hub deliveries send` */
export const addSend = (deliveries: Command, withHub: WithHub): Command =>
  hubCommand(
    deliveries,
    'send',
    'send an event to a partner and print the id of its delivery',
    'hub deliveries send --partner benevity --payload-file event.json',
  )
    .requiredOption(
      '--payload-file <file>',
      'JSON of the event, such as {"activity":"Reading","hours":2,"occurredAt":"2027-01-31T09:00:00Z"}; - for standard input',
    )
    .option('--connection <connectionId>', 'by which connection')
    .option('--partner <partner>', 'instead, when there is one active connection to it')
    .option('--transaction-id <id>', "yours, which the partner's webhooks name; made up unless given")
    .option('--event-type <type>', 'impact.recorded unless given')
    .action((options: SendOptions) =>
      withHub(options, async (hub) => {
        const { connection, partner, payloadFile, transactionId, eventType } = options;
        if ((connection === undefined) === (partner === undefined))
          throw new UsageError('Give either --connection or --partner.');
        const sent = await hub.call<{ id: string }>('POST', '/api/v1/impact-in/deliveries', {
          connectionId: connection === undefined ? undefined : goodId(connection, 'connection'),
          partner,
          transactionId,
          eventType,
          payload: await readJsonFile(payloadFile),
        });
        if (options.json === true) printJson(sent);
        else printLine(sent.id);
        note(`See what became of it: hub deliveries show ${sent.id}`);
      }),
    );
