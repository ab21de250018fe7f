import type { CompanyPrincipal, RequestInfo, Tx } from '@impact-hub/core';
import { refuseLiveFromTest, type KeyMaker } from './create-api-key.ts';
import type { ApiKeysDeps } from './deps.ts';
import type { KeyTarget } from './lock-changeable-key.ts';
import { makerOf } from './request-maker.ts';

type Call<B> = {
  input: { params: { keyId: string }; body: B };
  principal: CompanyPrincipal;
  deps: ApiKeysDeps;
  request: RequestInfo;
};

/** A test key changes test keys only: whoever uses `changeOneKey` sees to it, so that routes may let test keys in. */
export const environments = ['live', 'test'] as const;

/** A handler that changes the key named in the path, in a transaction of the caller's company. */
export const changeOneKey =
  <B, V>(change: (tx: Tx, call: Call<B>, by: KeyMaker, target: KeyTarget) => Promise<V>) =>
  (call: Call<B>): Promise<V> => {
    const { input, principal, deps } = call;
    const { keyId } = input.params;
    const mayChange: KeyTarget['mayChange'] = ({ environment }) => refuseLiveFromTest(principal, environment);
    return deps.db.company(principal.companyId, async (tx) =>
      change(tx, call, await makerOf(tx, call, keyId), { keyId, mayChange }),
    );
  };
