import { presetProfiles } from '../verification/preset-profiles.ts';
import type { HmacProfile, PartnerName, Profile } from '../verification/profile.ts';

/** What a partner has to know to sign, from the profiles that its requests are verified by. */

const stamps: Record<HmacProfile['timestampFormat'], string> = {
  unix_s: '<Unix seconds>',
  unix_ms: '<Unix milliseconds>',
  iso8601: '<RFC 3339>',
  none: '',
};

const signatureShape = ({ container, timestampFormat, prefix = '', prefixOptional }: HmacProfile): string => {
  if (container === 'stripe-list') return `t=${stamps[timestampFormat]},v1=<signature>[,v1=…]`;
  if (container === 'standard-webhooks') return 'v1,<signature>[ v1,…]';
  if (container === 'bare') return '<signature>';
  return `${prefixOptional === true ? `[${prefix}]` : prefix}<signature>`;
};

type Header = { name: string; value: string };

const hmacHeaders = (profile: HmacProfile): Header[] => [
  { name: profile.signatureHeader, value: signatureShape(profile) },
  ...(profile.timestampHeader === undefined
    ? []
    : [{ name: profile.timestampHeader, value: stamps[profile.timestampFormat] }]),
  ...(profile.idHeader === undefined ? [] : [{ name: profile.idHeader, value: '<event id>' }]),
];

const headersOf = (profile: Profile): Header[] => {
  if (profile.family === 'hmac') return hmacHeaders(profile);
  if (profile.family === 'unsigned') return [{ name: profile.secretHeader, value: '<token>' }];
  const credentials = {
    oauth_bearer: 'Bearer <token issued by the hub>',
    jwt: 'Bearer <token signed by the partner>',
    basic: 'Basic <user name and password>',
  };
  return [{ name: 'Authorization', value: credentials[profile.family] }];
};

const line = (profile: Profile): string => {
  const isHmac = profile.family === 'hmac';
  const weak = (isHmac && profile.weak === true) || profile.family === 'unsigned' ? ' (weak)' : '';
  const sent = headersOf(profile).map(({ name, value }) => `\`${name}: ${value}\``);
  if (profile.family === 'unsigned') sent.push('`?token=` in the address');
  const signed = isHmac ? `\`${profile.signedTemplate}\` | ${profile.encoding}` : '– | –';
  return `| \`${profile.scheme}\`${weak} | ${sent.join(', ')} | ${signed} |`;
};

const presets: readonly Profile[] = Object.values(presetProfiles);

/** The schemes of a partner, or of all; at the bare address only those that cover the body. */
const profilesFor = (partner: PartnerName | null): readonly Profile[] =>
  partner === null
    ? presets
    : presets.filter((profile) => profile.family === 'hmac' && profile.partners.includes(partner));

/**
 * How requests are signed, as a Markdown table with a line for each scheme.
 *
 * @param partner null for all schemes of all partners
 */
export const describeSchemes = (partner: PartnerName | null): string =>
  [
    'The scheme of the endpoint decides which headers are needed; those of other schemes are not looked at.',
    '',
    '| scheme | headers | HMAC-SHA256 of | written as |',
    '|---|---|---|---|',
    ...profilesFor(partner).map(line),
    "| `custom-hmac` | as the endpoint's `profile` says | `signedTemplate` | hex or base64 |",
    '',
    '`{ts}` and `{id}` are the timestamp and the event id exactly as they are sent, `{body}` the bytes of the body as they' +
      ' are sent. The key is the whole secret as UTF-8, `whsec_` included; `standard-webhooks` strips the prefix and decodes' +
      " the rest as base64. The timestamp may differ from the hub's clock by the endpoint's tolerance, 300 seconds unless" +
      ' it says otherwise.',
  ].join('\n');

/** The headers of the schemes, for the API docs, which have `Authorization` elsewhere. */
export const schemeHeaders = (partner: PartnerName | null): { name: string; description: string }[] => {
  const uses = profilesFor(partner).flatMap((profile) =>
    headersOf(profile).map((header) => ({ ...header, scheme: profile.scheme })),
  );
  const byName = Map.groupBy(
    uses.filter(({ name }) => name !== 'Authorization'),
    ({ name }) => name,
  );
  return [...byName].map(([name, own]) => ({
    name,
    description: own.map(({ scheme, value }) => `\`${scheme}\`: \`${value}\``).join('; '),
  }));
};
