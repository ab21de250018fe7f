import { redactText } from '@impact-hub/core';
import { secretSettings, settingsSchema, type Settings } from './settings.ts';

const shown = (name: string, value: unknown): string => {
  if (value === undefined) return '(not set)';
  if (secretSettings.has(name)) return '(set)';
  return redactText(Array.isArray(value) ? value.join(',') : String(value));
};

/** The effective settings, one a line, secrets and passwords hidden. */
export const describeSettings = (settings: Settings, environment: NodeJS.ProcessEnv): string =>
  Object.keys(settingsSchema.shape)
    .map((name) => {
      const origin = (environment[name] ?? '') === '' ? 'default' : 'environment';
      return `${name}=${shown(name, settings[name as keyof Settings])}  # ${origin}`;
    })
    .join('\n');

/** The text of `.env.example`: every setting with its description and default, commented out. */
export const envExample = (): string => {
  const defaults = settingsSchema.parse({}) as Record<string, unknown>;
  const entries = Object.entries(settingsSchema.shape).map(([name, schema]) => {
    const value = defaults[name];
    const text = value === undefined ? '' : Array.isArray(value) ? value.join(',') : String(value);
    return `# ${schema.description}\n#${name}=${text}\n`;
  });
  return `# Settings of Impact Hub. Made from apps/hub/src/config/settings.ts; nothing here has to be set to try it.\n\n${entries.join('\n')}`;
};
