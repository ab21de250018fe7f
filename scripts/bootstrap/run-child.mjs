import { spawn } from 'node:child_process';
import { BootstrapError } from './bootstrap-error.mjs';

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** One request to end may arrive several times: from the terminal, from npm, and as a signal to the whole group. */
const repeatWithinMs = 1_000;

/**
 * Runs a program and waits for it, also while being asked to end: the request is passed on and the program ends in its
 * own order. Ctrl-C at a terminal reaches it by itself, and a second SIGINT would mean "at once" to it.
 *
 * @returns how it ended, its collected output unless `stdio` gave that away, and the signal we were sent meanwhile
 */
export const runChild = (program, args, options, onStart = () => {}) =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, options);
    if (child.pid !== undefined) onStart(child.pid);
    let output = '';
    let interruptedBy;
    let forwardedAt = -Infinity;
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output += chunk));

    const forward = (signal) => {
      interruptedBy = signal;
      const isFromTerminal = signal === 'SIGINT' && process.stdin.isTTY;
      const isRepeat = performance.now() - forwardedAt < repeatWithinMs;
      if (isFromTerminal || isRepeat) return;
      forwardedAt = performance.now();
      child.kill(signal);
    };
    for (const signal of forwarded) process.on(signal, forward);
    const stopForwarding = () => forwarded.forEach((signal) => process.off(signal, forward));

    child.once('error', (cause) => {
      stopForwarding();
      reject(new BootstrapError(`${program} cannot be run on this machine (${cause.code}).`, { cause }));
    });
    child.once('close', (code, signal) => {
      stopForwarding();
      resolve({ code, signal, output, interruptedBy });
    });
  });
