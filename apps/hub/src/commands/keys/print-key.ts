import type { CommonOptions } from '../hub-api/hub-command.ts';
import { note, printJson, printLine } from '../hub-api/print.ts';

/** The answer that shows a key, which the hub gives once. */
export type Made = { keyId: string; key: string; name: string; expiresAt: string | null };

/** The key alone on standard output, so that `> key.txt` holds nothing else. */
export const printKey = (made: Made, remark: string, { json }: CommonOptions): void => {
  if (json === true) printJson(made);
  else printLine(made.key);
  note(`${remark} This is the only time the key is shown.`);
};
