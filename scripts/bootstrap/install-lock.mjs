import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const heartbeatMs = 2_000;
/** A lock that nobody touched for this long is given up, even when some process has the id of a holder by now. */
const staleAfterMs = 10 * 60_000;
/** Between making the directory and writing the owner into it. */
const ownerlessMs = 5_000;
const pollMs = 200;

const ownerOf = (directory) => {
  try {
    return readFileSync(join(directory, 'owner'), 'utf8');
  } catch {
    return undefined;
  }
};

/** A process that ended but that its container never reaps still answers signals; only Linux shows it as such. */
const isZombie = (pid) => {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

const isAlive = (pid) => {
  try {
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return error.code === 'EPERM';
  }
};

const isStale = (directory, owner) => {
  let ageMs;
  try {
    ageMs = Date.now() - statSync(directory).mtimeMs;
  } catch {
    return false;
  }
  if (owner === undefined) return ageMs > ownerlessMs;
  const holders = owner.trim().split('\n').map(Number);
  return ageMs > staleAfterMs || !holders.some(isAlive);
};

/** Moves a stale lock away; if another process was faster and this is its new lock already, puts it back. */
const removeStale = (directory, staleOwner) => {
  const aside = `${directory}.stale-${process.pid}`;
  try {
    renameSync(directory, aside);
    if (ownerOf(aside) === staleOwner) rmSync(aside, { recursive: true, force: true });
    else renameSync(aside, directory);
  } catch {
    // Somebody else moved it.
  }
};

const tryAcquire = (directory) => {
  try {
    mkdirSync(directory);
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(join(directory, 'owner'), `${process.pid}\n`);
  return true;
};

const touch = (directory) => {
  try {
    utimesSync(directory, new Date(), new Date());
  } catch {
    // A person removed it; that shall not end an install under way.
  }
};

/**
 * Runs `work` while no other process does so under the same directory. `onWait` is called once when it has to wait.
 * `work` is given a function that enters a child process as another holder: one that outlives us keeps the others out.
 */
export const withInstallLock = async (directory, onWait, work) => {
  mkdirSync(dirname(directory), { recursive: true });
  for (let attempt = 0; !tryAcquire(directory); attempt += 1) {
    if (attempt === 0) onWait();
    const owner = ownerOf(directory);
    if (isStale(directory, owner)) removeStale(directory, owner);
    else await sleep(pollMs);
  }
  const heartbeat = setInterval(() => touch(directory), heartbeatMs);
  try {
    return await work((pid) => appendFileSync(join(directory, 'owner'), `${pid}\n`));
  } finally {
    clearInterval(heartbeat);
    rmSync(directory, { recursive: true, force: true });
  }
};
