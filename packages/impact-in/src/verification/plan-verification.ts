import type { HmacProfile } from './profile.ts';

/** A profile made ready for the hot path: names in lower case, the template cut into its pieces. */
export type VerificationPlan = {
  signatureHeader: string;
  timestampHeader: string | null;
  idHeader: string | null;
  /** What precedes the body: literal text, or the header it is taken from. */
  preamble: readonly ({ literal: string } | { field: 'ts' | 'id' })[];
};

const minToleranceSeconds = 30;
const maxToleranceSeconds = 900;

/**
 * What contradicts itself in a profile; empty when it is sound. A timestamp that is checked but not signed, for
 * example, would be replay protection in appearance only.
 */
export const profileFaults = (profile: HmacProfile): string[] => {
  const { signedTemplate, timestampFormat, toleranceSeconds } = profile;
  const signsTimestamp = signedTemplate.includes('{ts}');
  const stampInContainer = profile.container === 'stripe-list';
  const rules: [boolean, string][] = [
    [
      /^([^{}]|\{ts\}|\{id\})*\{body\}$/.test(signedTemplate),
      'signedTemplate may use {ts} and {id} and must end in {body}',
    ],
    [profile.signatureHeader !== '', 'signatureHeader is empty'],
    [signsTimestamp === (timestampFormat !== 'none'), 'a timestamp must be both signed and checked, or neither'],
    [
      (signsTimestamp && !stampInContainer) === (profile.timestampHeader !== undefined),
      'the timestamp must have exactly one source',
    ],
    [signedTemplate.includes('{id}') === (profile.idHeader !== undefined), 'an event id header must be signed'],
    [profile.container !== 'prefixed' || Boolean(profile.prefix), 'a prefixed signature needs a prefix'],
    [signsTimestamp || profile.weak === true, 'a profile without a signed timestamp must be marked weak'],
    [
      toleranceSeconds >= minToleranceSeconds && toleranceSeconds <= maxToleranceSeconds,
      `toleranceSeconds must be ${minToleranceSeconds} to ${maxToleranceSeconds}`,
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, message]) => message);
};

const makePlan = (profile: HmacProfile): VerificationPlan | null => {
  if (profileFaults(profile).length > 0) return null;
  const pieces = profile.signedTemplate.slice(0, -'{body}'.length).split(/(\{ts\}|\{id\})/);
  return {
    signatureHeader: profile.signatureHeader.toLowerCase(),
    timestampHeader: profile.timestampHeader?.toLowerCase() ?? null,
    idHeader: profile.idHeader?.toLowerCase() ?? null,
    preamble: pieces
      .filter((piece) => piece !== '')
      .map((piece) => (piece === '{ts}' ? { field: 'ts' } : piece === '{id}' ? { field: 'id' } : { literal: piece })),
  };
};

const plans = new WeakMap<HmacProfile, VerificationPlan | null>();

/** The plan of a profile, made once per profile object; null when the profile contradicts itself. */
export const planVerification = (profile: HmacProfile): VerificationPlan | null => {
  let plan = plans.get(profile);
  if (plan === undefined) {
    plan = makePlan(profile);
    plans.set(profile, plan);
  }
  return plan;
};
