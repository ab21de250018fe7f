import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { generateLoad, type Load, type LoadResult } from './generate-load.ts';

type Message = Omit<Load, 'requests'> & { requests: Uint8Array[] };

/** Runs the load in a process of its own, so that its CPU does not count as the server's. */
export const loadFromOutside = (load: Load): Promise<LoadResult> =>
  new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), ['--load'], { serialization: 'advanced' });
    child.once('message', (result) => resolve(result as LoadResult));
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? undefined : reject(new Error(`the load ended with ${code}`))));
    child.send(load);
  });

if (process.argv[2] === '--load')
  process.once('message', (message: Message) => {
    const requests = message.requests.map((request) => Buffer.from(request));
    void generateLoad({ ...message, requests }).then((result) => process.send?.(result, () => process.exit(0)));
  });
