import { defineModule } from '@impact-hub/core';
import type { ImpactInDeps } from './deps.ts';
import { askAgain } from './confirmation/ask-again.ts';
import { createReceiptDays } from './inbox/receipt-days.ts';
import { watchSilence } from './endpoints/silence/watch-silence.ts';
import { jobs } from './jobs.ts';
import { startSender } from './outbound/sending/start-sender.ts';
import { receiptSchedules } from './receipts/schedules.ts';
import { replaySchedules } from './replay/schedules.ts';
import { routes } from './routes.ts';
import { forgetTokenUses } from './verification/token-uses.ts';

/** Partner webhooks: receivers, receipts and deliveries. */
export const impactInModule = defineModule<ImpactInDeps>({
  name: 'impact-in',
  description: 'What partners deliver: the endpoints they send to, the deliveries and their receipts.',
  routes,
  jobs,
  scopes: {
    'deliveries:read': 'See deliveries, receipts, replays and their figures.',
    'deliveries:send': 'Send events to partners.',
    'deliveries:replay': 'Process or send deliveries again, one or many.',
    'endpoints:read': 'See the receivers of the company, without their secrets.',
    'endpoints:manage': 'Create, change, try, rotate, pause and delete receivers, and see a new secret once.',
    'connections:read': 'See the connections to partners’ APIs, without their credentials.',
    'connections:manage': 'Create, change, test and delete connections to partners’ APIs.',
  },
  services: [{ name: 'impact-in sender', start: (deps) => startSender(deps) }],
  schedules: [
    ...replaySchedules,
    ...receiptSchedules,
    {
      name: 'impact-in.create-receipt-days',
      everySeconds: 3_600,
      run: async ({ db }) => void (await createReceiptDays(db.systemSql)),
    },
    {
      name: 'impact-in.forget-token-uses',
      everySeconds: 3_600,
      run: ({ db }, signal) => forgetTokenUses(db.systemSql, signal),
    },
    {
      name: 'impact-in.watch-silence',
      everySeconds: 10,
      run: (deps, signal) => watchSilence(deps, signal),
    },
    {
      name: 'impact-in.confirm-again',
      everySeconds: 300,
      run: ({ db }) => askAgain(db.systemSql),
    },
  ],
  checks: [
    {
      name: 'impact-in endpoints',
      critical: false,
      run: async ({ endpoints }) => {
        if (!endpoints.isCurrent()) throw new Error('the endpoints could not be loaded for 30 seconds');
      },
    },
  ],
});
