import { resolve } from 'node:path';
import { nearestName } from '../nearest-name.ts';
import { settingsSchema, type Settings } from './settings.ts';

/** A mistake of the operator; its message is one plain sentence and the process ends with it. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

/** Read by `hub keys`, the client; a terminal may have them set when a server is started from it. */
const clientSettings: readonly string[] = ['HUB_URL', 'HUB_API_KEY'];

const refuseUnknown = (environment: NodeJS.ProcessEnv): void => {
  const known = Object.keys(settingsSchema.shape);
  for (const name of Object.keys(environment)) {
    if (!name.startsWith('HUB_') || known.includes(name) || clientSettings.includes(name)) continue;
    throw new StartError(`${name} is not a setting of the hub; did you mean ${nearestName(name, known)}?`);
  }
};

const requireTogether = (settings: Settings): void => {
  const oidc = [settings.HUB_OIDC_ISSUER, settings.HUB_OIDC_CLIENT_ID, settings.HUB_OIDC_CLIENT_SECRET];
  if (oidc.some((value) => value !== undefined) && oidc.includes(undefined))
    throw new StartError('HUB_OIDC_ISSUER, HUB_OIDC_CLIENT_ID and HUB_OIDC_CLIENT_SECRET must be set together.');
  const logins = [settings.HUB_DATABASE_RUNTIME_URL, settings.HUB_DATABASE_SYSTEM_URL];
  if (logins.some((value) => value !== undefined) && logins.includes(undefined))
    throw new StartError('HUB_DATABASE_RUNTIME_URL and HUB_DATABASE_SYSTEM_URL must be set together.');
};

/**
 * Reads the settings. Empty variables count as not set; an unknown `HUB_…` name is refused, because a mistyped
 * setting that is silently ignored costs an operator a night.
 *
 * @throws StartError with one sentence naming the setting
 */
export const loadSettings = (environment: NodeJS.ProcessEnv): Settings => {
  refuseUnknown(environment);
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new StartError(`${issue?.path.join('.')} ${issue?.message}.`);
  }
  requireTogether(parsed.data);
  return { ...parsed.data, HUB_DATA_DIR: resolve(parsed.data.HUB_DATA_DIR) };
};
