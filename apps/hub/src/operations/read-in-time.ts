/** As long as readiness checks may take. */
const readingTimeoutMs = 2_000;

/** A figure, or null when its store does not give it in time: figures are looked at when something is down. */
export const orNull = <T>(reading: Promise<T>): Promise<T | null> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, readingTimeoutMs, null);
  });
  return Promise.race([reading.catch(() => null), late]).finally(() => clearTimeout(timer));
};
