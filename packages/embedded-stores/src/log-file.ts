import { closeSync, openSync } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';

const rotateAboveBytes = 10 * 1024 * 1024;
const tailBytes = 16 * 1024;

/** Where in a log this start begins, so that its last lines can be told from those of earlier starts. */
export type LogPosition = {
  readonly path: string;
  readonly offsetBytes: number;
};

/** Makes room in a log before a start (one older file is kept) and notes where the new lines will begin. */
export const prepareLog = async (path: string): Promise<LogPosition> => {
  const sizeBytes = await stat(path).then(
    (file) => file.size,
    () => 0,
  );
  if (sizeBytes <= rotateAboveBytes) return { path, offsetBytes: sizeBytes };
  await rename(path, `${path}.old`);
  return { path, offsetBytes: 0 };
};

/**
 * Gives `use` a descriptor for appending. The log is opened by us, so a store under another account needs no right to
 * it.
 */
export const withLogDescriptor = <T>(path: string, use: (descriptor: number) => T): T => {
  const descriptor = openSync(path, 'a', 0o600);
  try {
    return use(descriptor);
  } finally {
    closeSync(descriptor);
  }
};

/** The last lines written since `position`, for an error message. Empty when there are none. */
export const lastLogLines = async (position: LogPosition, maxLines = 12): Promise<string> => {
  const file = await open(position.path, 'r').catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const start = Math.max(position.offsetBytes, size - tailBytes);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(tailBytes), position: start });
    return buffer.toString('utf8', 0, bytesRead).trimEnd().split('\n').slice(-maxLines).join('\n');
  } finally {
    await file.close();
  }
};
