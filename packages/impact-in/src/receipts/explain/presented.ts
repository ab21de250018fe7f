import { parseTimestamp } from '../../verification/parse-timestamp.ts';
import { planVerification } from '../../verification/plan-verification.ts';
import type { HmacProfile } from '../../verification/profile.ts';
import { readHeader, type HeaderRead } from '../../verification/read-header.ts';
import { containers, type Contained } from '../../verification/signature-containers.ts';

/** What a request presented to a profile, read as far as it can be; nothing of it is ever shown. */
export type Presented = {
  signature: HeaderRead;
  /** Null when the header's value does not have the container's shape. */
  contained: Contained | null;
  /** Null when the scheme signs none. */
  timestamp: HeaderRead | null;
  timestampMs: number | null;
  eventId: HeaderRead | null;
};

const timestampOf = (profile: HmacProfile, rawHeaders: readonly string[], contained: Contained | null) => {
  if (profile.timestampFormat === 'none') return null;
  if (profile.timestampHeader !== undefined) return readHeader(rawHeaders, profile.timestampHeader.toLowerCase());
  const [value, ...more] = contained?.timestamps ?? [];
  if (value === undefined) return { value: null, fault: 'absent' } as const;
  return more.length > 0 ? ({ value: null, fault: 'malformed_timestamp' } as const) : { value };
};

/** Null when the profile contradicts itself. */
export const readPresented = (profile: HmacProfile, rawHeaders: readonly string[]): Presented | null => {
  const plan = planVerification(profile);
  if (plan === null) return null;
  const signature = readHeader(rawHeaders, plan.signatureHeader);
  const contained = signature.value === null ? null : containers[profile.container](signature.value, profile);
  const timestamp = timestampOf(profile, rawHeaders, contained);
  const { timestampFormat: format } = profile;
  const timestampMs =
    timestamp === null || timestamp.value === null || format === 'none'
      ? null
      : parseTimestamp(timestamp.value, format);
  const eventId = plan.idHeader === null ? null : readHeader(rawHeaders, plan.idHeader);
  return { signature, contained, timestamp, timestampMs, eventId };
};
