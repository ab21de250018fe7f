import { Option, type Command } from 'commander';
import { addWindowOptions, windowOf, type RecordOptions } from '../deliveries/delivery-options.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { parseCount } from '../hub-api/parse-options.ts';
import { note, noteMore, printFields, printJson, printLine, printTable, whenExactly } from '../hub-api/print.ts';
import { readPages } from '../hub-api/read-pages.ts';
import {
  describeReverification,
  fieldsOfReceipt,
  pathOfReceipt,
  receiptsPath,
  type Receipt,
  type Reverification,
} from './describe-receipt.ts';

const sampleId = '01a1fd2a-43a6-75a0-ab21-6e9a3a717903';
const outcomes = ['accepted', 'duplicate', 'conflict', 'quarantined', 'rejected', 'test'];

type ListOptions = RecordOptions & {
  outcome?: string;
  reason?: string;
  requestId?: string;
  eventId?: string;
  notTaken?: boolean;
  limit: number;
};

/** `hub receipts list` */
export const addList = (receipts: Command, withHub: WithHub): Command =>
  addWindowOptions(
    hubCommand(
      receipts,
      'list',
      'list the requests that came in, refused ones too, newest first',
      'hub receipts list --outcome rejected --last 1h',
    ),
  )
    .addOption(new Option('--outcome <outcome>', 'only these').choices(outcomes))
    .option('--reason <reason>', 'only those refused or quarantined for it, such as signature_mismatch')
    .option('--request-id <id>', 'only the request of this id, which the answer to it named')
    .option('--event-id <id>', "only the event of this id of the partner's")
    .option('--correlation-id <id>', 'only what reports on this, such as a transaction')
    .option('--not-taken', 'only rejected and quarantined ones that still wait for somebody')
    .option('--limit <rows>', 'at most so many', parseCount, 50)
    .action((options: ListOptions) =>
      withHub(options, async (hub) => {
        const { outcome, reason, requestId, eventId, correlationId } = options;
        const taken = options.notTaken === true ? 'false' : undefined;
        const query = { ...windowOf(options, Date.now()), outcome, reason, requestId, eventId, correlationId, taken };
        const found = await readPages<Receipt>(hub, receiptsPath, query, options.limit);
        if (options.json === true) return printJson(found);
        if (found.data.length === 0) return note('There is no such receipt.');
        printTable(
          ['receipt', 'received', 'partner', 'outcome', 'reason', 'event', 'request', 'verified again'],
          found.data.map((row) => [
            row.id,
            whenExactly(row.receivedAt),
            row.partner,
            row.outcome,
            row.reason,
            row.eventType,
            row.requestId,
            describeReverification(row.reverification),
          ]),
        );
        noteMore(found, options.limit);
      }),
    );

/** `hub receipts show` */
export const addShow = (receipts: Command, withHub: WithHub): Command =>
  hubCommand(receipts, 'show <receiptId>', 'show one request that came in', `hub receipts show ${sampleId}`).action(
    (id: string, options: CommonOptions) =>
      withHub(options, async (hub) => {
        const receipt = await hub.call<Receipt>('GET', pathOfReceipt(id));
        if (options.json === true) printJson(receipt);
        else printFields(fieldsOfReceipt(receipt));
      }),
  );

type Explanation = {
  receipt: Receipt;
  scheme: string | null;
  summary: string;
  checks: { name: string; outcome: string; detail: string; advice: string | null }[];
  findings: { name: string; detail: string; advice: string; secretId: string | null }[];
  differsAt: string[] | null;
  reverification: Reverification | null;
};

const printExplanation = ({ receipt, scheme, summary, checks, findings, ...more }: Explanation, all: boolean): void => {
  printFields({ ...fieldsOfReceipt({ ...receipt, reverification: more.reverification }), scheme });
  printLine(`\n${summary}`);
  for (const { name, detail, advice, secretId } of findings) {
    printLine('');
    printFields({ finding: name, proven: detail, 'what to do': advice, secret: secretId });
  }
  if (more.differsAt !== null) printFields({ 'differs at': more.differsAt });
  const shown = all ? checks : checks.filter(({ outcome }) => outcome === 'failed');
  if (shown.length === 0) return;
  printLine('');
  printTable(
    ['check', 'outcome', 'what was found', 'what to do'],
    shown.map(({ name, outcome, detail, advice }) => [name, outcome, detail, advice]),
  );
};

/** `hub receipts explain` */
export const addExplain = (receipts: Command, withHub: WithHub): Command =>
  hubCommand(
    receipts,
    'explain <receiptId>',
    'say why a request was taken or refused: the check that failed and what the kept bytes prove',
    `hub receipts explain ${sampleId}`,
  )
    .option('--all', 'every check, not only the one that failed')
    .action((id: string, options: CommonOptions & { all?: boolean }) =>
      withHub(options, async (hub) => {
        const explanation = await hub.call<Explanation>('GET', pathOfReceipt(id, '/explain'));
        if (options.json === true) printJson(explanation);
        else printExplanation(explanation, options.all === true);
      }),
    );
