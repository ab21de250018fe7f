import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { UsageError } from '../hub-api/command-errors.ts';

/** The text of a file, or of standard input for `-`. @throws UsageError naming the file, never what is in it */
export const readGiven = async (file: string): Promise<string> => {
  if (file === '-') return text(process.stdin);
  return readFile(file, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`The file ${file} cannot be read.`, { cause });
  });
};

/** @throws UsageError when it holds no JSON object */
export const readJsonFile = async (file: string): Promise<object> => {
  const given = await readGiven(file);
  try {
    const value: unknown = JSON.parse(given);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Said below, without what the file holds.
  }
  throw new UsageError(`The file ${file} must hold a JSON object.`);
};
