import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { generateLoad, type Load, type LoadResult } from './generate-load.ts';
import { makeRequests, type RequestSource } from './request-source.ts';

/** A load in a process of its own, so that its CPU does not count as the server's. Its requests are made already. */
export type PreparedLoad = { run(): Promise<LoadResult> };

/** Makes the requests; `run` then starts the clock. */
export const prepareLoad = async (load: Load, source: RequestSource): Promise<PreparedLoad> => {
  const child = fork(fileURLToPath(import.meta.url), ['--load'], { serialization: 'advanced' });
  const failed = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`the load ended with ${code}`)));
  });
  failed.catch(() => undefined);
  child.send({ load, source });
  await Promise.race([once(child, 'message'), failed]);
  return {
    run: async () => {
      const result = once(child, 'message') as Promise<[LoadResult]>;
      child.send('start');
      return (await Promise.race([result, failed]))[0];
    },
  };
};

const serve = async (): Promise<void> => {
  const [{ load, source }] = (await once(process, 'message')) as [{ load: Load; source: RequestSource }];
  const { requests, repeat } = makeRequests(source);
  const start = once(process, 'message');
  process.send?.('ready');
  await start;
  const result = await generateLoad(load, requests, repeat);
  process.send?.(result, () => process.exit(0));
};

if (process.argv[2] === '--load') await serve();
