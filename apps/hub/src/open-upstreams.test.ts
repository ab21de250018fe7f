import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defineModule } from '@impact-hub/core';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../../../tests/support/temporary-directory.ts';
import { StartError } from './config/load-settings.ts';
import { openUpstreams, readUpstreams } from './open-upstreams.ts';

const directory = await temporaryDirectory();
afterAll(directory.remove);

const fileWith = async (content: unknown): Promise<string> => {
  const path = join(directory.path, `${crypto.randomUUID()}.json`);
  await writeFile(path, JSON.stringify(content));
  return path;
};
const reports = { name: 'reports', prefix: '/api/reports', target: 'https://reports.example', scopes: ['data:read'] };

describe('HUB_UPSTREAMS_FILE', () => {
  it('may be left out', async () => {
    expect(await readUpstreams(undefined, [])).toEqual({ scopes: {}, upstreams: [] });
  });

  it('ends the start with one sentence that names the file and the field', async () => {
    await expect(readUpstreams('/nowhere.json', [])).rejects.toThrow(
      'HUB_UPSTREAMS_FILE /nowhere.json cannot be read.',
    );
    const path = await fileWith({ upstreams: [{ ...reports, target: 'reports.example' }] });
    await expect(readUpstreams(path, ['data:read'])).rejects.toThrow(
      `HUB_UPSTREAMS_FILE ${path}: upstreams[0].target: must be an http:// or https:// URL without credentials, query or fragment.`,
    );
    await expect(readUpstreams(path, [])).rejects.toThrow(StartError);
  });

  it('cannot take an address of the hub’s own', async () => {
    const path = await fileWith({ upstreams: [{ ...reports, prefix: '/health' }] });
    const file = await readUpstreams(path, ['data:read']);
    const own = defineModule({ name: 'system', routes: [{ path: '/health' } as never] });
    const open = () => openUpstreams({ path, file, modules: [{ module: own, deps: null }] } as never);
    expect(open).toThrow(
      `HUB_UPSTREAMS_FILE ${path}: upstreams[0].prefix /health collides with the hub's own /health.`,
    );
  });
});
