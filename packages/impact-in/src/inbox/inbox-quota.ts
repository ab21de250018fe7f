export type QuotaLimits = {
  maxRows: number;
  maxBytes: number;
  /** Share of `maxRows` that one owner may hold, so that a single sender cannot starve the others. */
  maxShareOfOwner: number;
};

export type Quota = {
  /** Reserves room for one row; false when there is none. */
  take(owner: string, bytes: number): boolean;
  give(owner: string, bytes: number): void;
  used(): { rows: number; bytes: number };
};

/** Counts what is waiting or in flight, in all and per owner. */
export const createQuota = (limits: QuotaLimits): Quota => {
  const rowsOfOwner = new Map<string, number>();
  const maxRowsOfOwner = limits.maxRows * limits.maxShareOfOwner;
  let rows = 0;
  let bytes = 0;
  return {
    take: (owner, size) => {
      const ofOwner = rowsOfOwner.get(owner) ?? 0;
      if (rows >= limits.maxRows || bytes + size > limits.maxBytes || ofOwner >= maxRowsOfOwner) return false;
      rows += 1;
      bytes += size;
      rowsOfOwner.set(owner, ofOwner + 1);
      return true;
    },
    give: (owner, size) => {
      rows -= 1;
      bytes -= size;
      const left = (rowsOfOwner.get(owner) ?? 1) - 1;
      if (left === 0) rowsOfOwner.delete(owner);
      else rowsOfOwner.set(owner, left);
    },
    used: () => ({ rows, bytes }),
  };
};
