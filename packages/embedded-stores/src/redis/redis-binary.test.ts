import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requireRedisBinary } from './redis-binary.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'redis-binary-test-'));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

const addProgram = (name: string, output: string) =>
  writeFile(join(directory, name), `#!/bin/sh\necho '${output}'\n`, { mode: 0o755 });

test('Valkey serves where Redis is missing', async () => {
  await addProgram('valkey-server', 'Valkey server v=8.1.3 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1');
  expect(await requireRedisBinary([directory])).toEqual({ path: join(directory, 'valkey-server'), version: '8.1.3' });
});

test('a recent Valkey is preferred to a Redis that is too old', async () => {
  await addProgram('redis-server', 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=1');
  await addProgram('valkey-server', 'Valkey server v=7.2.5 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1');
  expect((await requireRedisBinary([directory])).version).toBe('7.2.5');
});

test('a Redis that is too old is named with its version', async () => {
  await addProgram('redis-server', 'Redis server v=6.0.16 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64 build=1');
  await expect(requireRedisBinary([directory])).rejects.toThrow(/redis-server is version 6\.0\.16, .*REDIS_URL/);
});

test('where there is none, one sentence says how to get one', async () => {
  await expect(requireRedisBinary([directory])).rejects.toThrow(
    /^No redis-server .*apt-get install redis-server.*brew install redis.*REDIS_URL to a running server\.$/,
  );
});
