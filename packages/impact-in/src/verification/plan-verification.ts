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

/** A rule that a profile breaks, and the field to change. */
export type ProfileFault = { field: keyof HmacProfile; message: string };

/** RFC 9110 §5.6.2. */
const headerName = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/;
const absentOr = (name: string | undefined): boolean => name === undefined || headerName.test(name);

/**
 * What contradicts itself in a profile; empty when it is sound. A timestamp that is checked but not signed, for
 * example, would be replay protection in appearance only.
 */
export const profileFaults = (profile: HmacProfile): ProfileFault[] => {
  const { signedTemplate, timestampFormat, toleranceSeconds } = profile;
  const signsTimestamp = signedTemplate.includes('{ts}');
  const stampInContainer = profile.container === 'stripe-list';
  const headers = [profile.signatureHeader, profile.timestampHeader, profile.idHeader]
    .filter((name) => name !== undefined)
    .map((name) => name.toLowerCase());
  const rules: [boolean, keyof HmacProfile, string][] = [
    [
      /^([^{}]|\{ts\}|\{id\})*\{body\}$/.test(signedTemplate),
      'signedTemplate',
      'may use {ts} and {id}, both at most once, and must end in {body}',
    ],
    // Event ids have no full stop in them, and a timestamp has one form: so the signed text can be read in one way only.
    [!/\{id\}(?!\.)/.test(signedTemplate), 'signedTemplate', 'needs a full stop after {id}, which ids cannot contain'],
    [!signedTemplate.includes('{ts}{id}'), 'signedTemplate', 'needs a text between {ts} and {id}'],
    [!/(\{ts\}|\{id\}).*\1/.test(signedTemplate), 'signedTemplate', 'names a placeholder twice'],
    [headerName.test(profile.signatureHeader), 'signatureHeader', 'must be the name of a header'],
    [absentOr(profile.timestampHeader), 'timestampHeader', 'must be the name of a header'],
    [absentOr(profile.idHeader), 'idHeader', 'must be the name of a header'],
    [new Set(headers).size === headers.length, 'signatureHeader', 'must not be the header of anything else'],
    [
      signsTimestamp === (timestampFormat !== 'none'),
      'timestampFormat',
      'must be none exactly when {ts} is not signed: a timestamp must be both signed and checked, or neither',
    ],
    [
      (signsTimestamp && !stampInContainer) === (profile.timestampHeader !== undefined),
      'timestampHeader',
      'must be given exactly when {ts} is signed and not inside a stripe-list',
    ],
    [
      signedTemplate.includes('{id}') === (profile.idHeader !== undefined),
      'idHeader',
      'must be given exactly when {id} is signed',
    ],
    [profile.container !== 'prefixed' || Boolean(profile.prefix), 'prefix', 'must be given for a prefixed signature'],
    [profile.container === 'prefixed' || !profile.prefix, 'prefix', 'is only for a prefixed signature'],
    [signsTimestamp || profile.weak === true, 'weak', 'must be true without a signed timestamp'],
    [
      toleranceSeconds >= minToleranceSeconds && toleranceSeconds <= maxToleranceSeconds,
      'toleranceSeconds',
      `must be ${minToleranceSeconds} to ${maxToleranceSeconds}`,
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, field, message]) => ({ field, message }));
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
