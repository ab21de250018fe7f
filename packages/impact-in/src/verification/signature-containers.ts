import type { HmacProfile } from './profile.ts';

/** What a signature header carries; `timestamps` only where the container has room for them. */
export type Contained = { signatures: string[]; timestamps: string[] };

type Container = (value: string, profile: HmacProfile) => Contained | null;

/** `t=<stamp>,v1=<sig>[,v1=<sig>…]`; other keys are later versions and ignored. Blanks around commas are allowed. */
const stripeList: Container = (value) => {
  const contained: Contained = { signatures: [], timestamps: [] };
  for (const element of value.split(',')) {
    const [, key, text] = /^[ \t]*([A-Za-z0-9_]+)=([^ \t]*)[ \t]*$/.exec(element) ?? [];
    if (key === undefined || text === undefined) return null;
    if (key === 't') contained.timestamps.push(text);
    if (key === 'v1') contained.signatures.push(text);
  }
  return contained;
};

/** `v1,<sig> v1,<sig> v1a,<ed25519>`; only `v1` is HMAC, other versions are ignored. */
const standardWebhooks: Container = (value) => {
  const contained: Contained = { signatures: [], timestamps: [] };
  for (const element of value.split(' ')) {
    const [, version, text] = /^(v\d+[a-z]?),(.*)$/.exec(element) ?? [];
    if (version === undefined || text === undefined) return null;
    if (version === 'v1') contained.signatures.push(text);
  }
  return contained;
};

const prefixed: Container = (value, { prefix = '', prefixOptional = false }) => {
  if (value.startsWith(prefix)) return { signatures: [value.slice(prefix.length)], timestamps: [] };
  return prefixOptional ? { signatures: [value], timestamps: [] } : null;
};

const bare: Container = (value) => ({ signatures: [value], timestamps: [] });

/** Splits a signature header into its parts; null when it does not have the container's shape. */
export const containers: Record<HmacProfile['container'], Container> = {
  'stripe-list': stripeList,
  'standard-webhooks': standardWebhooks,
  prefixed,
  bare,
};
