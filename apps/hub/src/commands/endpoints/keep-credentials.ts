import { credentialsFile, keepEndpoint } from '../../credentials.ts';
import { dataDirOf } from '../hub-api/hub-client.ts';
import { note } from '../hub-api/print.ts';
import type { Shown } from './describe-endpoint.ts';

type Changed = Pick<Shown, 'id' | 'clientId' | 'secret' | 'clientSecret'>;

const proofOf = ({ id, clientId, secret, clientSecret }: Changed) => {
  if (secret !== undefined) return { secret };
  return clientSecret === undefined ? undefined : { clientId: clientId ?? id, clientSecret };
};

const write = async (environment: NodeJS.ProcessEnv, change: Changed, says: string): Promise<void> => {
  const dataDir = dataDirOf(environment);
  const file = credentialsFile(dataDir);
  try {
    if (await keepEndpoint(dataDir, change.id, proofOf(change))) note(`${file} ${says}.`);
  } catch (error) {
    note(`${file} could not be written (${(error as Error).message}) and is out of date.`);
  }
};

/** Keeps credentials.json good when it lists an endpoint that got a new secret, and says so. */
export const keepRotated = (environment: NodeJS.ProcessEnv, rotated: Changed): Promise<void> =>
  write(environment, rotated, 'has the new secret too');

/** Takes a deleted endpoint out of credentials.json when it is listed there, and says so. */
export const keepDeleted = (environment: NodeJS.ProcessEnv, id: string): Promise<void> =>
  write(environment, { id }, 'does not list it any more');
