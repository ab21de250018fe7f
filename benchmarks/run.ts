import { readdir, readFile } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { describeMachine } from './measure/describe-machine.ts';

/** What every benchmark exports. */
export type Benchmark = {
  /** @param quick a short run to see that it works; its figures are worth nothing */
  run(options: { quick: boolean; args: readonly string[] }): Promise<void>;
};

const directory = new URL('./', import.meta.url);

const listBenchmarks = async (): Promise<string[]> =>
  (await readdir(directory))
    .filter((file) => file.endsWith('.ts') && file !== 'run.ts')
    .map((file) => file.slice(0, -3));

/** The comment at the head of the file: what is measured, against what, and the target. */
const describe = async (name: string): Promise<string> => {
  const source = await readFile(new URL(`${name}.ts`, directory), 'utf8');
  const comment = /^\/\*\*\n([\s\S]*?)\n \*\//.exec(source)?.[1] ?? '';
  return comment.replaceAll(/^ \* ?/gm, '');
};

const printHelp = async (): Promise<void> => {
  process.stdout.write('Usage: npm run bench -- <name> [--quick]\n');
  for (const name of await listBenchmarks()) {
    const text = (await describe(name)).split('\n').map((line) => `    ${line}`.trimEnd());
    process.stdout.write(`\n  ${name}\n${text.join('\n')}\n`);
  }
};

const [name, ...args] = process.argv.slice(2);
if (name === undefined || name === '--help') await printHelp();
else if (!(await listBenchmarks()).includes(name)) {
  process.stderr.write(`There is no benchmark ${name}. There are: ${(await listBenchmarks()).join(', ')}\n`);
  process.exitCode = 2;
} else {
  const { benchmark } = (await import(new URL(`${name}.ts`, directory).href)) as { benchmark: Benchmark };
  const quick = args.includes('--quick');
  const load = loadavg()
    .map((value) => value.toFixed(2))
    .join(' ');
  process.stdout.write(`${name}${quick ? ' (quick: figures are worth nothing)' : ''}\n\n${await describe(name)}\n\n`);
  process.stdout.write(`${describeMachine()}; load average before the start ${load}\n\n`);
  await benchmark.run({ quick, args: args.filter((arg) => arg !== '--quick') });
}
