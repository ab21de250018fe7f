import type { Command } from 'commander';
import { hubCommand, type CommonOptions, type WithHub } from '../hub-api/hub-command.ts';
import { goodId } from '../hub-api/good-id.ts';
import { parseDuration } from '../hub-api/parse-options.ts';
import { when } from '../hub-api/print.ts';
import { pathOfEndpoint, printCredentials, printEndpoint, type Endpoint, type Shown } from './describe-endpoint.ts';
import { keepRotated } from './keep-credentials.ts';
import { readGiven } from './read-given.ts';

type RotateOptions = CommonOptions & { overlap?: number; force?: boolean; secretFile?: string; reason?: string };

/** `hub endpoints rotate` */
export const addRotate = (endpoints: Command, withHub: WithHub, environment: NodeJS.ProcessEnv): Command =>
  hubCommand(
    endpoints,
    'rotate <endpointId>',
    'give a receiver a new secret beside the old one and print it, once',
    'hub endpoints rotate 01a1fd2a-43a6-75a0-ab21-6e9a3a717903 --overlap 24h > secret.txt',
  )
    .option(
      '--overlap <duration>',
      'how long the old secret stays valid; a day unless given, at most 7d',
      parseDuration,
    )
    .option('--force', 'end the secret of an earlier rotation that is still valid')
    .option('--secret-file <file>', 'file with the secret that the sender has made (custom-hmac); - for standard input')
    .option('--reason <text>', 'kept in the audit log')
    .action((id: string, options: RotateOptions) =>
      withHub(options, async (hub) => {
        const { overlap: overlapSeconds, force, secretFile, reason } = options;
        const path = pathOfEndpoint(id, '/rotate-secret');
        const secret = secretFile === undefined ? undefined : (await readGiven(secretFile)).trim();
        const made = await hub.call<Shown & { oldSecretEndsAt: string | null }>('POST', path, {
          overlapSeconds,
          force,
          secret,
          reason,
        });
        const end = made.oldSecretEndsAt === null ? 'has ended' : `ends ${when(made.oldSecretEndsAt)}`;
        printCredentials(made, `Rotated endpoint ${made.id}. The old secret ${end}.`, options);
        await keepRotated(environment, secret === undefined ? made : { ...made, secret });
      }),
    );

/** `hub endpoints retire-secret` */
export const addRetireSecret = (endpoints: Command, withHub: WithHub): Command =>
  hubCommand(
    endpoints,
    'retire-secret <endpointId> <secretId>',
    'end a secret now; of the newest one that takes its rotation back',
    'hub endpoints retire-secret 01a1fd2a-43a6-75a0-ab21-6e9a3a717903 01a1fd2b-0c1f-7d52-9f3c-2a8f04d1e6b7',
  )
    .option('--reason <text>', 'kept in the audit log')
    .action((id: string, secretId: string, options: CommonOptions & { reason?: string }) =>
      withHub(options, async (hub) => {
        const path = pathOfEndpoint(id, `/secrets/${goodId(secretId, 'secret')}/retire`);
        printEndpoint(await hub.call<Endpoint>('POST', path, { reason: options.reason }), options);
      }),
    );
