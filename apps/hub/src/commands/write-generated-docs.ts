import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { listProblems } from '@impact-hub/core';
import '../compose.ts';
import { envExample } from '../config/describe-settings.ts';
import { StartError } from '../config/load-settings.ts';

const errorsDocument = (): string => {
  const sections = listProblems().map(
    (problem) => `### ${problem.code}\n\n**${problem.status}** · ${problem.title}. ${problem.remedy}\n`,
  );
  return `# Errors

Every error answer is \`application/problem+json\` (RFC 9457) with a stable \`code\`, the \`requestId\` to quote, and for
bad input \`errors: [{pointer, detail}]\`, where the pointer (RFC 6901) starts with \`/body\`, \`/query\` or \`/params\`.
Branch on \`code\`; titles and details may change. Made from the code by \`npm run hub -- docs\`; also at
\`GET /api/v1/problems\`.

${sections.join('\n')}`;
};

/** Files that are made from the code, by path from the root. */
export const generatedDocs: Readonly<Record<string, () => string>> = {
  'docs/errors.md': errorsDocument,
  '.env.example': envExample,
};

/** Writes the generated files, or with `onlyCheck` refuses when one is out of date. @throws StartError naming it */
export const writeGeneratedDocs = async (onlyCheck: boolean): Promise<void> => {
  for (const [name, make] of Object.entries(generatedDocs)) {
    const file = fileURLToPath(new URL(`../../../../${name}`, import.meta.url));
    if (onlyCheck && (await readFile(file, 'utf8').catch(() => '')) !== make())
      throw new StartError(`${name} is out of date; run: npm run hub -- docs`);
    if (!onlyCheck) await writeFile(file, make());
    process.stdout.write(`${name} ${onlyCheck ? 'is up to date' : 'written'}\n`);
  }
};
