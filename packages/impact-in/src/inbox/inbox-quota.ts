import type { Owners } from './fair-queue.ts';

export type QuotaLimits = { maxRows: number; maxBytes: number };

export type Quota = {
  /** Reserves room for one row; false when there is none. */
  take(owners: Owners, bytes: number): boolean;
  give(owners: Owners, bytes: number): void;
  used(): { rows: number; bytes: number };
};

type Held = { rows: number; bytes: number };

const none: Held = { rows: 0, bytes: 0 };

/** An endpoint that holds less than this part of what is free is admitted, whatever the rest of its company holds. */
const shareOfModest = 1 / 8;

/**
 * Counts what is waiting or in flight, in all, per company and per endpoint. A company may hold as much as is still free,
 * an endpoint as much as its company may still take (dynamic thresholds: Choudhury and Hahne, 1998). So one alone has a
 * third, any number of them never have everything, and whoever comes next finds room, in rows and in bytes.
 */
export const createQuota = (limits: QuotaLimits): Quota => {
  const held = new Map<string, Held>();
  const all: Held = { rows: 0, bytes: 0 };
  const of = (owner: string): Held => held.get(owner) ?? none;
  const add = (owner: string, rows: number, bytes: number): void => {
    const now = of(owner);
    if (now.rows + rows === 0) held.delete(owner);
    else held.set(owner, { rows: now.rows + rows, bytes: now.bytes + bytes });
  };
  const change = (owners: Owners, rows: number, bytes: number): void => {
    all.rows += rows;
    all.bytes += bytes;
    for (const owner of owners) add(owner, rows, bytes);
  };
  return {
    take: (owners, bytes) => {
      const [company, endpoint] = [of(owners[0]), of(owners[1])];
      const free = { rows: limits.maxRows - all.rows, bytes: limits.maxBytes - all.bytes };
      const isBelow = (rows: number, size: number): boolean => endpoint.rows < rows && endpoint.bytes < size;
      const hasRoom =
        bytes <= free.bytes &&
        (isBelow(free.rows - company.rows, free.bytes - company.bytes) ||
          isBelow(free.rows * shareOfModest, free.bytes * shareOfModest));
      if (hasRoom) change(owners, 1, bytes);
      return hasRoom;
    },
    give: (owners, bytes) => change(owners, -1, -bytes),
    used: () => ({ ...all }),
  };
};
