/** A figure, or null when its store fails or does not give it in time: figures are looked at when something is down. */
export const readInTime = <T>(reading: Promise<T>, withinMs: number): Promise<T | null> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(resolve, withinMs, null);
  });
  return Promise.race([reading.catch(() => null), late]).finally(() => clearTimeout(timer));
};
