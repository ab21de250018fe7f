/** Remembers when something last happened, and writes it down now and then, off the path of the webhooks. */
export type NotedTimes = {
  note(id: string, atMs: number): void;
  /** Writes what was noted; called on a timer. */
  flush(): Promise<void>;
  stop(): Promise<void>;
};

type Options = {
  write(ids: readonly string[], timesMs: readonly number[]): Promise<unknown>;
  everyMs: number;
  onError(error: unknown): void;
};

/** One write per interval for everything noted in it; what could not be written is written with the next. */
export const createNotedTimes = ({ write, everyMs, onError }: Options): NotedTimes => {
  const noted = new Map<string, number>();
  const note = (id: string, atMs: number): void => {
    noted.set(id, Math.max(atMs, noted.get(id) ?? 0));
  };
  const flush = async (): Promise<void> => {
    if (noted.size === 0) return;
    // In one order in all processes: they would wait for each other crosswise otherwise.
    const entries = [...noted].toSorted(([a], [b]) => (a < b ? -1 : 1));
    noted.clear();
    try {
      await write(
        entries.map(([id]) => id),
        entries.map(([, ms]) => ms),
      );
    } catch (error) {
      for (const [id, ms] of entries) note(id, ms);
      throw error;
    }
  };
  const timer = setInterval(() => void flush().catch(onError), everyMs).unref();
  return {
    note,
    flush,
    stop: async () => {
      clearInterval(timer);
      await flush().catch(onError);
    },
  };
};
