import { text } from 'node:stream/consumers';
import { apiKeyPattern, inspectApiKey } from '@impact-hub/api-keys/key-format';
import { CommandError } from '../hub-api/command-errors.ts';
import { printFields, printJson } from '../hub-api/print.ts';

const explained = {
  malformed: 'This is no API key: a key begins with teei_live_ or teei_test_ and has 71 characters.',
  bad_checksum: 'This has the shape of an API key, and its checksum is wrong: it was mistyped, cut or made up.',
} as const;

/**
 * Says what can be told of a key or key id without asking anybody. The key is never printed.
 * @throws CommandError when it is neither
 */
export const inspectKey = async (given: string, { json = false }: { json?: boolean }): Promise<void> => {
  const candidate = (given === '-' ? await text(process.stdin) : given).trim();
  const show = json ? printJson : printFields;
  if (/^[0-9A-Za-z]{12}$/.test(candidate)) return show({ kind: 'key id', keyId: candidate });
  const shape = inspectApiKey(candidate);
  if (shape !== 'well_formed') throw new CommandError(explained[shape]);
  const [, environment, keyId] = apiKeyPattern.exec(candidate) ?? [];
  show({ kind: 'API key', keyId, environment, checksum: 'right' });
};
