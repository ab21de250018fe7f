import { reply, routeDefiner } from '@impact-hub/core';
import type { ApiKeysDeps } from '../deps.ts';
import { tooManyLeakReports } from '../problems.ts';
import { actOnLeak } from './act-on-leak.ts';
import { findLeakedSecrets } from './find-leaked-secrets.ts';
import { leakedKeysBody, leakedKeysView } from './schema.ts';

const defineRoute = routeDefiner<ApiKeysDeps>();

const reportLeakedKeys = defineRoute({
  method: 'POST',
  path: '/api/v1/leaked-keys',
  operationId: 'reportLeakedKeys',
  summary: 'Report API keys found in public',
  description:
    'For secret scanners and whoever finds a key; no credentials are needed, as the key itself is the proof. What' +
    ' happens to a valid key is the policy of the installation: it is revoked unless set otherwise. The answer is the' +
    ' same whatever was reported. The shape is that of the secret scanning partner programme of GitHub.',
  access: 'public',
  input: { body: leakedKeysBody },
  output: { 202: leakedKeysView },
  handler: async ({ input, deps, request }) => {
    const { db, clock, leakReports } = deps;
    const seconds = leakReports.secondsUntilAllowed(request.ip);
    if (seconds > 0) throw tooManyLeakReports({ headers: { 'retry-after': String(seconds) } });
    const found = await findLeakedSecrets(db.systemSql, input.body);
    for (const leak of found) {
      const work = { clock, policy: leakReports.policy };
      leakReports.count(await db.company(leak.companyId, (tx) => actOnLeak(tx, work, leak, request)));
    }
    for (let rest = input.body.length - found.length; rest > 0; rest -= 1) leakReports.count('not_ours');
    return reply(202, { received: input.body.length });
  },
});

export const leakRoutes = [reportLeakedKeys];
