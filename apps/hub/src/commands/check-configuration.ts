import { describeSettings } from '../config/describe-settings.ts';
import { loadSettings } from '../config/load-settings.ts';

/** Prints the effective settings, or with `onlyCheck` one line. @throws StartError when they are not valid */
export const checkConfiguration = (environment: NodeJS.ProcessEnv, onlyCheck: boolean): void => {
  const settings = loadSettings(environment);
  process.stdout.write(onlyCheck ? 'The configuration is valid.\n' : `${describeSettings(settings, environment)}\n`);
};
