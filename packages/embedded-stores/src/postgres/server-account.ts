import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { EmbeddedStoreError } from '../embedded-store-error.ts';

const run = promisify(execFile);

/** The unprivileged account the server runs under when the hub itself runs as root, which PostgreSQL refuses. */
export type ServerAccount = {
  readonly uid: number;
  readonly gid: number;
};

/** How to start a program under the chosen account: what to put in front of it, and what to give to `spawn`. */
export type Launcher = {
  readonly prefix: readonly string[];
  readonly spawnOptions: Partial<ServerAccount>;
};

const candidateNames = ['postgres', '_postgres', 'nobody'];

const readAccounts = async (): Promise<Map<string, ServerAccount>> => {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n');
  return new Map(
    lines.flatMap((line): [string, ServerAccount][] => {
      const [name = '', , uid, gid] = line.split(':');
      return uid === undefined || gid === undefined ? [] : [[name, { uid: Number(uid), gid: Number(gid) }]];
    }),
  );
};

const belongsToAnother = (clusterDir: string, uid: number): EmbeddedStoreError => {
  return new EmbeddedStoreError(
    `The database in ${clusterDir} belongs to uid ${uid}: start the hub as that user, give it to yourself (sudo chown -R "$(id -u)" ${clusterDir}), or choose another HUB_DATA_DIR.`,
  );
};

/**
 * Chooses the account: none (we are not root), the owner of an existing cluster, else `postgres`, else `nobody`.
 * @throws EmbeddedStoreError when the cluster is somebody else's or the machine has no such account.
 */
export const chooseServerAccount = async (clusterDir: string): Promise<ServerAccount | undefined> => {
  const ownUid = process.getuid?.();
  const owner = await stat(clusterDir).catch(() => undefined);
  if (ownUid !== 0) {
    if (owner !== undefined && owner.uid !== ownUid) throw belongsToAnother(clusterDir, owner.uid);
    return undefined;
  }
  // A person who starts the hub once with sudo keeps the data that they own.
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const accounts = await readAccounts();
  for (const name of candidateNames) {
    const account = accounts.get(name);
    if (account !== undefined) return account;
  }
  throw new EmbeddedStoreError(
    'PostgreSQL does not run as root and there is no account "postgres" or "nobody": create one (useradd --system postgres), start as another user, or set DATABASE_URL.',
  );
};

const reaches = async ({ prefix, spawnOptions }: Launcher, paths: readonly string[]): Promise<boolean> => {
  const script = 'for path; do test -x "$path" || exit 1; done';
  const [program = 'sh', ...args] = [...prefix, 'sh', '-c', script, 'sh', ...paths];
  return run(program, args, { ...spawnOptions, cwd: '/' }).then(
    () => true,
    () => false,
  );
};

/**
 * How to start the server under `account` so that it reaches all of `paths`. A checkout under /root or in a private
 * temporary directory is closed to other accounts; there the server is given the one capability to pass closed
 * directories. That is no gain over the hub, which is root in this case, and it goes away with the process.
 * @throws EmbeddedStoreError when the machine does not allow that either.
 */
export const createLauncher = async (
  account: ServerAccount | undefined,
  paths: readonly string[],
): Promise<Launcher> => {
  if (account === undefined) return { prefix: [], spawnOptions: {} };
  const plain: Launcher = { prefix: [], spawnOptions: account };
  if (await reaches(plain, paths)) return plain;
  const capable: Launcher = {
    prefix: [
      'setpriv',
      // Without it the programs' own access(2) checks ignore capabilities of a process whose real user is not root.
      '--securebits=+no_setuid_fixup',
      `--reuid=${account.uid}`,
      `--regid=${account.gid}`,
      '--clear-groups',
      '--inh-caps=+dac_override',
      '--ambient-caps=+dac_override',
      '--',
    ],
    spawnOptions: {},
  };
  if (await reaches(capable, paths)) return capable;
  throw new EmbeddedStoreError(
    `PostgreSQL does not run as root, and the account it would use (uid ${account.uid}) cannot enter ${paths.map((path) => dirname(path)).join(' or ')}: ` +
      'move both below directories that every account may enter (chmod o+x), start as another user, or set DATABASE_URL.',
  );
};
