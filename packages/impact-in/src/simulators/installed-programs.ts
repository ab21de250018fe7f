import { execFileSync } from 'node:child_process';

const isInstalled = (program: string): boolean => {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

/** Whether the commands of the README can run on this machine; for tests. */
export const canRunCommands = (): boolean => ['bash', 'openssl', 'curl', 'sed'].every(isInstalled);
