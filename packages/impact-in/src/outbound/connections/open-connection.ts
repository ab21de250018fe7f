import type { Crypto } from '@impact-hub/crypto';
import { partnerApis } from '../partner-apis.ts';
import type { PartnerApi } from '../partner-api.ts';
import type { ConnectionRow } from '../tables.ts';
import { credentialsContext, credentialsOf, credentialsPurpose, type Credentials } from './credentials.ts';

/** A connection ready to be called, its credentials opened. */
export type OpenConnection = Pick<ConnectionRow, 'id' | 'companyId' | 'baseUrl' | 'tenant' | 'revision'> & {
  apiName: ConnectionRow['api'];
  api: PartnerApi;
  credentials: Credentials;
};

/**
 * Opens the credentials of a connection; call it outside of transactions.
 *
 * @throws DecryptionFailed, or Error when what was kept is not what the API needs
 */
export const openConnection = async (crypto: Crypto, row: ConnectionRow): Promise<OpenConnection> => {
  const api = partnerApis[row.api];
  const plaintext = await crypto.decrypt({
    companyId: row.companyId,
    purpose: credentialsPurpose,
    context: credentialsContext(row.id),
    ciphertext: row.credentials,
  });
  const credentials = credentialsOf(api, JSON.parse(plaintext.toString('utf8')));
  if (credentials === undefined) throw new Error(`the credentials are not those of ${row.api}`);
  const { id, companyId, baseUrl, tenant, revision } = row;
  return { id, companyId, baseUrl, tenant, revision, apiName: row.api, api, credentials };
};
