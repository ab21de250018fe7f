import { readFile } from 'node:fs/promises';
import { bindModule, type BoundModule } from '@impact-hub/core';
import {
  createIdentitySigner,
  createUpstreams,
  parseUpstreamsFile,
  refuseCollisions,
  UpstreamsFileError,
  type UpstreamDeps,
  type UpstreamsFile,
} from '@impact-hub/gateway';
import { StartError } from './config/load-settings.ts';

const inPlainWords = <T>(path: string, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof UpstreamsFileError)) throw error;
    throw new StartError(`HUB_UPSTREAMS_FILE ${path}: ${error.message}`, { cause: error });
  }
};

/**
 * Reads the services that the operator puts behind the hub; none without a file.
 * @throws StartError naming the field that is wrong
 */
export const readUpstreams = async (
  path: string | undefined,
  knownScopes: readonly string[],
): Promise<UpstreamsFile> => {
  if (path === undefined) return { scopes: {}, upstreams: [] };
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new StartError(`HUB_UPSTREAMS_FILE ${path} cannot be read.`, { cause });
  });
  return inPlainWords(path, () => parseUpstreamsFile(text, knownScopes));
};

type Options = Omit<UpstreamDeps, 'signer' | 'random'> & {
  path: string | undefined;
  file: UpstreamsFile;
  /** The hub's other modules, which no upstream may hide. */
  modules: readonly BoundModule[];
  /** 32 secret bytes that all processes derive alike. */
  seed: Buffer;
};

/** Opens the services and binds their routes. @throws StartError when one takes an address of the hub's own */
export const openUpstreams = ({ path, file, modules, publicUrl, seed, ...shared }: Options) => {
  const ownPaths = modules.flatMap(({ module }) => module.routes.map((route) => route.path));
  inPlainWords(path ?? '', () => refuseCollisions(file.upstreams, ownPaths));
  const signer = createIdentitySigner({ seed, issuer: publicUrl, clock: shared.clock });
  const deps: UpstreamDeps = { ...shared, publicUrl, signer, random: Math.random };
  const { module, stop } = createUpstreams(file, deps);
  return { bound: bindModule(module, deps), stop };
};
