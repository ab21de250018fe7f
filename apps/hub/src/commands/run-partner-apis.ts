import {
  apiFaultNames,
  credentialNames,
  partnerApiNames,
  partnerApis,
  startPartnerApis,
  type ApiFault,
  type PartnerApiName,
  type PartnerApis,
} from '@impact-hub/impact-in';
import { CommandError, UsageError } from './hub-api/command-errors.ts';
import { untilSignal } from './run-until-signal.ts';

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

const pollMs = 200;

/** The command that makes a connection to one of the stand-ins, to be pasted into a shell. */
const connectingLine = (name: PartnerApiName, { baseUrl, credentials }: PartnerApis): string => {
  const api = partnerApis[name];
  const needed = Object.fromEntries(
    Object.entries(credentials).filter(([field]) => credentialNames(api).includes(field)),
  );
  const tenant = api.path.includes('{tenant}') ? ' --tenant acme' : '';
  return (
    `echo '${JSON.stringify(needed)}' | npm run -s hub -- connections create --api ${name}` +
    ` --name 'Stand-in ${name}' --base-url ${baseUrl}${tenant} --credentials-file -`
  );
};

const sendingLine = (): string => {
  const event = { activity: 'Reading with children', hours: 2, occurredAt: new Date().toISOString() };
  return `echo '${JSON.stringify(event)}' | npm run -s hub -- deliveries send --connection <connectionId> --payload-file -`;
};

/** Says what arrives, as it arrives, until asked to end. */
const follow = (partners: PartnerApis, faults: readonly ApiFault[]): (() => void) => {
  let seen = 0;
  const timer = setInterval(() => {
    for (const { api, path, fault } of partners.calls().slice(seen)) {
      seen += 1;
      say(`${api}  POST ${path}  ${fault ?? 'well'}  (${partners.records().length} effects)`);
      const next = faults[seen % (faults.length + 1)];
      if (faults.length > 0) partners.inject(next ?? null);
    }
  }, pollMs);
  return () => clearInterval(timer);
};

/**
 * Runs stand-ins of the partners' APIs on this machine until asked to end, and shows the credentials they accept.
 *
 * @param options where to listen; faults to show in turn, each after a call that goes well
 * @throws UsageError when there is no such fault; CommandError when the port cannot be had
 */
export const runPartnerApis = async (options: { port: number; faults: readonly string[] }): Promise<void> => {
  const faults = options.faults.filter((name): name is ApiFault => (apiFaultNames as string[]).includes(name));
  const unknown = options.faults.filter((name) => !(apiFaultNames as string[]).includes(name));
  if (unknown.length > 0)
    throw new UsageError(`There is no fault ${unknown.join(', ')}. Use some of: ${apiFaultNames.join(', ')}.`);
  let partners: PartnerApis;
  try {
    partners = await startPartnerApis({ port: options.port });
  } catch (error) {
    throw new CommandError(
      `Port ${options.port} cannot be used (${(error as Error).message}). Give another with --port.`,
      { cause: error },
    );
  }
  say(`The partners' APIs are at ${partners.baseUrl}; the hub has to run with HUB_PARTNER_PRIVATE_ADDRESSES=allow.`);
  say('Connect to any of them by one of these lines:\n');
  for (const name of partnerApiNames) say(`${connectingLine(name, partners)}\n`);
  say('Then send an event by the connection that it prints:\n');
  say(sendingLine());
  say('\nWhat arrives:');
  const stopFollowing = follow(partners, faults);
  await untilSignal(() => process.exit(1));
  stopFollowing();
  await partners.close();
};
