import { z } from 'zod';
import { credentialsFile, readCredentialsText } from './credentials.ts';

/** What the hub itself reads in the file again when it starts. */
const readAgain = z.object({
  baseUrl: z.url(),
  companyId: z.uuid(),
  apiKey: z.string(),
  endpoints: z.array(z.object({ url: z.string() })),
});

const damageIn = (text: string): string | undefined => {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  const path = readAgain.safeParse(content).error?.issues[0]?.path;
  return path === undefined ? undefined : `${path.join('.') || 'all of it'} is not as the hub wrote it`;
};

/** One sentence about a credentials.json that somebody has damaged; undefined when it is good, or not there. */
export const describeDamage = async (dataDir: string): Promise<string | undefined> => {
  const text = await readCredentialsText(dataDir);
  const damage = text === undefined ? undefined : damageIn(text);
  if (damage === undefined) return undefined;
  return `${credentialsFile(dataDir)} is damaged (${damage}) and left alone: the hub runs without it, but commands cannot read it.`;
};
