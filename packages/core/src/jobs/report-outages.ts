import { isNotConnectionError, type Worker } from 'bullmq';
import type { Logger } from '../telemetry/logger.ts';

/** Errors of sockets and name look-ups carry a code; what Redis answers does not. */
const isConnectionError = (error: Error): boolean =>
  !isNotConnectionError(error) || typeof (error as NodeJS.ErrnoException).code === 'string';

/**
 * Writes one line when the workers lose Redis and one when it is back, however many workers reconnect how often. Any
 * other error is written when it differs from the last.
 *
 * @param signal aborts when the workers are told to stop; what their connections say from then on is no news
 */
export const reportOutages = (log: Logger, signal: AbortSignal): ((worker: Worker) => void) => {
  const outage = 'Redis does not answer';
  let reported: string | undefined;
  return (worker) => {
    worker.on('error', (err) => {
      const trouble = isConnectionError(err) ? outage : err.message;
      if (signal.aborted || trouble === reported) return;
      reported = trouble;
      if (trouble === outage) log.warn({ event: 'worker.unavailable', err }, 'workers have lost Redis; jobs wait');
      else log.warn({ event: 'worker.error', job: worker.name, err }, 'worker error');
    });
    worker.getBackend().on('ready', () => {
      if (reported === outage) log.info({ event: 'worker.available' }, 'workers have Redis again');
      reported = undefined;
    });
  };
};
