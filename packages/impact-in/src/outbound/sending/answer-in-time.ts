/**
 * What the work comes to, or `tooLate` after that time: with tokens to be had first, calls may take longer than anybody
 * waits for them. The signal tells the work; what it comes to later concerns nobody.
 */
export const answerInTime = <T>(
  patienceMs: number,
  tooLate: T,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const signal = AbortSignal.timeout(patienceMs);
  const givenUp = new Promise<T>((resolve) => signal.addEventListener('abort', () => resolve(tooLate)));
  return Promise.race([givenUp, work(signal)]);
};
