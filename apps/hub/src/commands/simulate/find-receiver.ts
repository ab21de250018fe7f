import { defaultSchemeOf, schemesOf, type FaultInput, type PartnerName, type SchemeName } from '@impact-hub/impact-in';
import { credentialsFile, readCredentials, type EndpointCredentials } from '../../credentials.ts';
import { readGiven, readJsonFile } from '../endpoints/read-given.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { dataDirOf } from '../hub-api/hub-client.ts';
import type { SimulateOptions } from './simulate-options.ts';

/** Where simulated events go, and what the partner knows of the endpoint there. */
export type Receiver = {
  partner: PartnerName;
  url: string;
  scheme: SchemeName;
  /** As given; what a request is signed with may have to be made from it. */
  secret: string | undefined;
  clientId: string | undefined;
  profile: FaultInput['profile'];
  /** The file that its secret was read from, when nobody gave another. */
  keptIn: string | undefined;
};

/** A file's content without the line end. @throws UsageError when it cannot be read */
export const readLine = async (file: string): Promise<string> => (await readGiven(file)).replace(/\r?\n$/, '');

const goodUrl = (url: string): string => {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError('The address of the endpoint must look like https://hub.example.org/webhooks/benevity/….');
  return url;
};

const goodScheme = (partner: PartnerName, scheme: SchemeName): SchemeName => {
  const known = schemesOf(partner);
  if (!known.includes(scheme))
    throw new UsageError(`${partner} does not sign by ${scheme}, but by ${known.join(', ')}.`);
  return scheme;
};

const findKept = async (
  partner: PartnerName,
  { scheme }: SimulateOptions,
  environment: NodeJS.ProcessEnv,
): Promise<EndpointCredentials> => {
  const dataDir = dataDirOf(environment);
  const credentials = await readCredentials(dataDir);
  const endpoints = credentials?.endpoints ?? [];
  const found = endpoints.find((each) => each.partner === partner && (scheme === undefined || each.scheme === scheme));
  if (found !== undefined) return found;
  throw new UsageError(
    `Say where the endpoint is and what it knows: --url and --secret-file. In ${credentialsFile(dataDir)} there is none of ` +
      `${partner}${scheme === undefined ? '' : ` by ${scheme}`}.`,
  );
};

/** The endpoint that the options name, or one of the installation's own. @throws UsageError naming what is missing */
export const findReceiver = async (
  partner: PartnerName,
  options: SimulateOptions,
  environment: NodeJS.ProcessEnv,
): Promise<Receiver> => {
  const { profileFile, secretFile } = options;
  const profile = profileFile === undefined ? undefined : ((await readJsonFile(profileFile)) as Receiver['profile']);
  const secret = secretFile === undefined ? options.secret : await readLine(secretFile);
  if (options.url !== undefined) {
    const scheme = goodScheme(partner, options.scheme ?? defaultSchemeOf(partner));
    return {
      partner,
      url: goodUrl(options.url),
      scheme,
      secret,
      clientId: options.clientId,
      profile,
      keptIn: undefined,
    };
  }
  const kept = await findKept(partner, options, environment);
  const scheme = goodScheme(partner, kept.scheme as SchemeName);
  const own = 'secret' in kept ? kept.secret : kept.clientSecret;
  const clientId = 'clientId' in kept ? kept.clientId : undefined;
  const keptIn = secret === undefined ? credentialsFile(dataDirOf(environment)) : undefined;
  return { partner, url: kept.url, scheme, secret: secret ?? own, clientId, profile, keptIn };
};
