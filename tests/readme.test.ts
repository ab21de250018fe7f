import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHubProcess, type HubProcess } from './support/hub-process.ts';
import { temporaryDirectory } from './support/temporary-directory.ts';

const readme = await readFile(fileURLToPath(new URL('../README.md', import.meta.url)), 'utf8');
/** The shell blocks under a heading, as a newcomer would paste them. */
const commandsUnder = (heading: string): string => {
  const section = readme.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block).join('\n');
};

let directory: Awaited<ReturnType<typeof temporaryDirectory>>;
let hub: HubProcess;

beforeAll(async () => {
  directory = await temporaryDirectory();
  hub = await startHubProcess({ HUB_DATA_DIR: `${directory.path}/.hub`, HUB_PORT: '0' });
}, 90_000);
afterAll(async () => {
  await hub.end('SIGTERM');
  await directory.remove();
});

/** Runs pasted commands in the folder of the installation; only the port differs from the text. */
const paste = (commands: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const script = commands.replaceAll('http://127.0.0.1:3000', hub.url);
    execFile('bash', ['-euo', 'pipefail', '-c', script], { cwd: directory.path }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${error.message}\n${stdout}\n${stderr}`));
    });
  });

test('the webhook signed with openssl and sent with curl is received, and once', async () => {
  const commands = commandsUnder('Send a webhook with curl');
  expect(commands).toContain('openssl');
  const first = JSON.parse(await paste(commands)) as Record<string, unknown>;
  expect(first).toEqual({ received: true, receiptId: expect.any(String) });
  expect(JSON.parse(await paste(commands))).toEqual({ ...first, duplicate: true });
});

test('the reading commands answer with the delivery, its audit event and a new key', async () => {
  const answers = (await paste(commandsUnder('Read what became of it').replaceAll('curl -sS', 'curl -sSf -w "\\n"')))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { data?: unknown[]; key?: string });
  expect(answers).toHaveLength(3);
  expect(answers[1]?.data?.length).toBeGreaterThan(0);
  expect(answers[2]?.key).toMatch(/^teei_live_/);
});

test('the commands for keys run as they stand, and a file they write holds the key alone', async () => {
  const main = fileURLToPath(new URL('../apps/hub/src/main.ts', import.meta.url));
  const commands = commandsUnder('Keys from the terminal')
    .replaceAll('npm run -s hub --', `'${process.execPath}' '${main}'`)
    .replaceAll('<key id>', '"$(cut -c 11-22 payroll.key)"')
    // Nobody sits there to be asked.
    .replace(' revoke ', ' revoke --yes ');
  const output = await paste(`${commands}\nstat -c %a *.key || stat -f %Lp *.key\ncat *.key`);
  expect(output).toMatch(/Payroll +live +active/);
  expect(output).toMatch(/was revoked 20.+\n600\n600\n(?:teei_live_[0-9A-Za-z]{61}\n){2}$/);
});
