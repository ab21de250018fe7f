import type { Principal } from '@impact-hub/core';

export const auditCategories = ['authentication', 'authorization', 'data', 'admin', 'financial', 'security'] as const;
export const auditSeverities = ['info', 'warning', 'critical'] as const;
export const auditResults = ['success', 'failure', 'denied'] as const;
export const auditActorKinds = ['person', 'api_key', 'partner', 'system', 'anonymous'] as const;

/** Who did it. `id` is the hub's own id or name of the actor, never an e-mail address or a person's name. */
export type AuditActor = { kind: (typeof auditActorKinds)[number]; id: string };

/** Something worth proving later. */
export type AuditEvent = {
  /** `domain.what_happened` in lower case, e.g. `api_key.created`. */
  type: string;
  category: (typeof auditCategories)[number];
  /** Default `info`. */
  severity?: (typeof auditSeverities)[number];
  /** Default: the company of the transaction; null for what concerns the installation as a whole. */
  companyId?: string | null;
  actor: AuditActor;
  resource?: { type: string; id: string };
  /** Default `success`. */
  result?: (typeof auditResults)[number];
  /** Address and user agent are personal data; they are kept with the event. */
  request?: { id: string; ip: string; userAgent: string | undefined } | undefined;
  /** What is different now: JSON values and Dates. Fields named like secrets are redacted. */
  changes?: Record<string, unknown>;
  /** Anything else that explains the event; same rules as `changes`. */
  metadata?: Record<string, unknown>;
};

/** The actor that a request's principal stands for. */
export const actorOf = (principal: Principal): AuditActor => {
  switch (principal.kind) {
    case 'person':
      return { kind: 'person', id: principal.personId };
    case 'api_key':
      return { kind: 'api_key', id: principal.keyId };
    case 'anonymous':
      return { kind: 'anonymous', id: 'anonymous' };
  }
};
