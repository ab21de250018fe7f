/** Bounds how often the same bytes of one event are stored; what is beyond is answered from what is committed. */
export type RepeatCap = {
  /** A batch's view; nothing counts until `committed` says that its rows are. */
  begin(): {
    /** Whether to store one more. Otherwise the id of a receipt with the same bytes, committed or of this batch. */
    admit(key: string, receiptId: string): { stored: true } | { stored: false; insteadOf: string };
    committed(): void;
  };
};

type Count = { stored: number; sinceMs: number; receiptId: string };

/** Enough to see that a sender repeats itself; a sender that tries for hours shows in every one of them. */
const rowsPerWindow = 5;
const windowMs = 3_600_000;
/** About 250 bytes each. The one counted longest ago is forgotten first, which costs a few more rows. */
const maxKeys = 20_000;

/** Counts in this process: each process stores a few, and each batch in flight at the same moment. */
export const createRepeatCap = (options: { nowMs(): number; onNotStored(count: number): void }): RepeatCap => {
  const counts = new Map<string, Count>();

  const begin: RepeatCap['begin'] = () => {
    const ofBatch = new Map<string, Count>();
    let notStored = 0;
    const current = (key: string): Count | undefined => {
      const count = ofBatch.get(key) ?? counts.get(key);
      return count === undefined || options.nowMs() - count.sinceMs >= windowMs ? undefined : count;
    };
    return {
      admit: (key, receiptId) => {
        const count = current(key);
        if (count !== undefined && count.stored >= rowsPerWindow) {
          notStored += 1;
          return { stored: false, insteadOf: count.receiptId };
        }
        const stored = (count?.stored ?? 0) + 1;
        ofBatch.set(key, { stored, sinceMs: count?.sinceMs ?? options.nowMs(), receiptId });
        return { stored: true };
      },
      committed: () => {
        for (const [key, count] of ofBatch) {
          counts.delete(key);
          counts.set(key, count);
          if (counts.size > maxKeys) counts.delete(counts.keys().next().value ?? '');
        }
        if (notStored > 0) options.onNotStored(notStored);
      },
    };
  };
  return { begin };
};
