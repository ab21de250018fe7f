import { createLogger, runShutdown } from '@impact-hub/core';
import { composeHub } from '../compose.ts';
import { loadSettings } from '../config/load-settings.ts';
import { credentialsFile } from '../credentials.ts';
import { createFirstCompany } from '../first-company.ts';
import { publicUrlOf } from '../listen.ts';
import { openStores } from '../stores/open-stores.ts';

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** Creates the first company in the stores the settings name; for production, where a start creates nothing by itself. */
export const runSetup = async (environment: NodeJS.ProcessEnv): Promise<void> => {
  const settings = loadSettings(environment);
  const log = createLogger({ level: settings.HUB_LOG_LEVEL });
  const publicUrl = publicUrlOf(settings);
  const stores = await openStores(settings, log, say);
  try {
    const hub = await composeHub({ settings, publicUrl, stores, log, onProgress: say });
    const created = await createFirstCompany(hub, { dataDir: settings.HUB_DATA_DIR, baseUrl: publicUrl });
    say(
      created
        ? `The first company was created; its keys and endpoints are in ${credentialsFile(settings.HUB_DATA_DIR)}.`
        : 'There is a company already; nothing was changed.',
    );
    await runShutdown(hub.shutdownPhases, log);
  } finally {
    await stores.stop();
  }
};
