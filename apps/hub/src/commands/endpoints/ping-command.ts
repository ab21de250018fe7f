import type { Command } from 'commander';
import type { PingView } from '@impact-hub/impact-in';
import { goodId } from '../hub-api/good-id.ts';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { printFields, printJson, printLine, printTable } from '../hub-api/print.ts';
import { pathOfEndpoint } from './describe-endpoint.ts';

const word = (passed: boolean | null): string => (passed === null ? 'not tried' : passed ? 'yes' : 'no');

const print = (ping: PingView): void => {
  printFields({
    accepted: word(ping.accepted),
    reason: ping.reason,
    'signed with': ping.signedWithSecretId,
    'matched secret': ping.matchedSecretId,
    receipt: ping.receiptId,
    'stored within': ping.latencyMs === null ? '-' : `${ping.latencyMs.toFixed(1)} ms`,
  });
  printLine('');
  printTable(
    ['check', 'passed', 'what was found'],
    ping.checks.map(({ check, passed, detail }) => [check, word(passed), detail]),
  );
};

/** `hub endpoints ping`; ends with 1 when the event was not accepted or a check failed. */
export const addPing = (endpoints: Command, withHub: WithHub): Command =>
  hubCommand(
    endpoints,
    'ping <endpointId>',
    'try a receiver with an event that the hub signs as the partner would',
    'hub endpoints ping 01a1fd2a-43a6-75a0-ab21-6e9a3a717903',
  )
    .option('--secret <secretId>', 'sign with this secret; the newest one unless given')
    .action((id: string, options: CommonOptions & { secret?: string }) =>
      withHub(options, async (hub) => {
        const secretId = options.secret === undefined ? undefined : goodId(options.secret, 'secret');
        const ping = await hub.call<PingView>('POST', pathOfEndpoint(id, '/ping'), { secretId });
        if (options.json === true) printJson(ping);
        else print(ping);
        if (ping.accepted === false || ping.checks.some(({ passed }) => passed === false)) process.exitCode = 1;
      }),
    );
