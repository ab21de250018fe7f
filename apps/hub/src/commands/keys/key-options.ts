import { Option, type Command } from 'commander';
import type { CommonOptions } from '../hub-api/hub-command.ts';
import { UsageError } from '../hub-api/command-errors.ts';
import { gather, parseCount, parseDuration, parseMoment } from '../hub-api/parse-options.ts';

export type WithReason = CommonOptions & { reason?: string };

/** What making and changing a key have in common. */
export type LimitOptions = {
  rateLimit?: number;
  expiresIn?: number;
  expiresAt?: string;
  neverExpires?: boolean;
  allowIp?: string[];
  allowAnyIp?: boolean;
};

/** Options for how often, until when and from where a key may be used. */
export const addLimitOptions = (command: Command): Command =>
  command
    .option('--rate-limit <calls>', 'calls per minute', parseCount)
    .addOption(
      new Option('--expires-in <duration>', 'when it ends, from now, such as 90d')
        .argParser(parseDuration)
        .conflicts(['expiresAt', 'neverExpires']),
    )
    .addOption(
      new Option('--expires-at <moment>', 'when it ends, such as 2027-01-31 (as that day begins, UTC)')
        .argParser(parseMoment)
        .conflicts(['expiresIn', 'neverExpires']),
    )
    .option('--allow-ip <ranges>', 'addresses or ranges it may be used from; with commas or by repeating it', gather);

const fromNow = (seconds: number): string => {
  const at = new Date(Date.now() + seconds * 1_000);
  if (Number.isNaN(at.getTime())) throw new UsageError('--expires-in is too far away.');
  return at.toISOString();
};

/** The fields of the hub's request; undefined for what was not asked for. @throws UsageError */
export const limitsOf = (options: LimitOptions) => ({
  rateLimitPerMinute: options.rateLimit,
  expiresAt:
    options.neverExpires === true
      ? null
      : (options.expiresAt ?? (options.expiresIn === undefined ? undefined : fromNow(options.expiresIn))),
  allowedIps: options.allowAnyIp === true ? [] : options.allowIp,
});
