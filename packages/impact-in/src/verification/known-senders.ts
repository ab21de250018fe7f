import type { CustomProfileInput } from './custom-profile.ts';

/** Profiles of senders that document how they sign, as their endpoints would be created with. For tests. */
export const knownSenders = {
  stripe: {
    signatureHeader: 'Stripe-Signature',
    container: 'stripe-list',
    encoding: 'hex',
    keyEncoding: 'utf8',
  },
  github: {
    signatureHeader: 'X-Hub-Signature-256',
    signedTemplate: '{body}',
    container: 'prefixed',
    prefix: 'sha256=',
    encoding: 'hex',
    timestampFormat: 'none',
  },
  shopify: {
    signatureHeader: 'X-Shopify-Hmac-SHA256',
    signedTemplate: '{body}',
    container: 'bare',
    encoding: 'base64',
    timestampFormat: 'none',
    payloadTimestampField: 'updated_at',
  },
  slack: {
    signatureHeader: 'X-Slack-Signature',
    timestampHeader: 'X-Slack-Request-Timestamp',
    signedTemplate: 'v0:{ts}:{body}',
    container: 'prefixed',
    prefix: 'v0=',
    encoding: 'hex',
  },
  svix: {
    signatureHeader: 'svix-signature',
    timestampHeader: 'svix-timestamp',
    idHeader: 'svix-id',
    signedTemplate: '{id}.{ts}.{body}',
    container: 'standard-webhooks',
    encoding: 'base64',
    keyEncoding: 'whsec',
  },
  goodstack: {
    signatureHeader: 'Goodstack-Signature',
    signedTemplate: '{body}',
    container: 'bare',
    encoding: 'hex',
    timestampFormat: 'none',
  },
  charityStack: {
    signatureHeader: 'X-Webhook-Signature',
    timestampHeader: 'X-Webhook-Timestamp',
    container: 'prefixed',
    prefix: 'sha256=',
    encoding: 'hex',
  },
  zendesk: {
    signatureHeader: 'X-Zendesk-Webhook-Signature',
    timestampHeader: 'X-Zendesk-Webhook-Signature-Timestamp',
    signedTemplate: '{ts}{body}',
    container: 'bare',
    encoding: 'base64',
    timestampFormat: 'iso8601',
  },
} as const satisfies Record<string, CustomProfileInput>;

export type KnownSender = keyof typeof knownSenders;
