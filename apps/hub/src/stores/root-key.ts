import { join } from 'node:path';
import { loadOrCreateRootKey } from '@impact-hub/crypto';
import { StartError } from '../config/load-settings.ts';
import type { Settings } from '../config/settings.ts';

/** Reads the 32-byte root key, creating it in the data folder when none is named. @throws StartError in one sentence */
export const openRootKey = async (settings: Settings): Promise<Buffer> => {
  const file = settings.HUB_ROOT_KEY_FILE ?? join(settings.HUB_DATA_DIR, 'root.key');
  try {
    return await loadOrCreateRootKey(file);
  } catch (error) {
    throw new StartError((error as Error).message);
  }
};
