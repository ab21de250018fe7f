import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { redisUrlOf, type EmbeddedHub } from './chaos-installation.ts';
import type { Random } from './chaos-random.ts';
import { flushRedis } from './flush-redis.ts';
import { childrenOf } from './process-tree.ts';

export const faultNames = ['hub', 'second', 'postgres', 'backend', 'redis', 'flush'] as const;
export type FaultName = (typeof faultNames)[number];

/** What is killed: an embedded hub, and perhaps a second process on its stores. */
type Target = Pick<EmbeddedHub, 'dataDir' | 'killAndRestart'> & { second?: Pick<EmbeddedHub, 'killAndRestart'> };

/** Of every 20 kills. `flush` is no kill and comes on top. */
const killsOfTwenty: readonly FaultName[] = [
  ...Array<FaultName>(4).fill('hub'),
  ...Array<FaultName>(3).fill('second'),
  ...Array<FaultName>(5).fill('postgres'),
  ...Array<FaultName>(4).fill('backend'),
  ...Array<FaultName>(4).fill('redis'),
];
const killsPerFlush = 5;

/** The faults of one run, in order. */
export const planFaults = (kills: number, random: Random): FaultName[] => {
  const plan: FaultName[] = [];
  let deck: FaultName[] = [];
  for (let kill = 1; kill <= kills; kill += 1) {
    if (deck.length === 0) deck = random.shuffle(killsOfTwenty);
    plan.push(deck.pop() ?? 'hub');
    if (kill % killsPerFlush === 0) plan.push('flush');
  }
  return plan;
};

/** The process that the file names, if it is the installation's: the file of a killed server stays, its number is used again. */
const pidOf = async ({ dataDir }: Target, file: string): Promise<number> => {
  const pid = Number.parseInt(await readFile(join(dataDir, file), 'utf8'), 10);
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
  if (!commandLine.includes(dataDir)) throw new Error(`${file} names no process of ${dataDir}`);
  return pid;
};
const postmasterOf = (hub: Target): Promise<number> => pidOf(hub, 'postgres/cluster/postmaster.pid');

/** Processes of the server that serve a client, by the title they give themselves: `postgres: user database host(port) …`. */
const backendsOf = async (postmaster: number): Promise<number[]> => {
  const found: number[] = [];
  for (const pid of await childrenOf(postmaster)) {
    const title = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (title.includes('127.0.0.1(')) found.push(pid);
  }
  return found;
};

const injectors: Record<FaultName, (hub: Target, random: Random) => Promise<void>> = {
  hub: (hub) => hub.killAndRestart(),
  second: ({ second }) => second?.killAndRestart() ?? Promise.resolve(),
  postgres: async (hub) => {
    process.kill(await postmasterOf(hub), 'SIGKILL');
  },
  backend: async (hub, random) => {
    process.kill(random.pick(await backendsOf(await postmasterOf(hub))), 'SIGKILL');
  },
  redis: async (hub) => {
    process.kill(await pidOf(hub, 'redis/redis.pid'), 'SIGKILL');
  },
  flush: async ({ dataDir }) => flushRedis(await redisUrlOf(dataDir)),
};

const patienceMs = 30_000;

/**
 * Does it, as soon as there is something to do it to: a store that the fault before has ended comes back first.
 * @throws Error when the hub has not brought the store back within 30 s
 */
export const injectFault = async (fault: FaultName, hub: Target, random: Random): Promise<void> => {
  const giveUpAtMs = performance.now() + patienceMs;
  for (;;) {
    try {
      await injectors[fault](hub, random);
      return;
    } catch (cause) {
      if (fault === 'hub' || fault === 'second' || performance.now() > giveUpAtMs)
        throw new Error(`there was nothing to ${fault === 'flush' ? 'flush' : 'kill'} (${fault})`, { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
};
