import { coreProblems, type Clock, type Tx } from '@impact-hub/core';
import type { EndpointRow } from '../tables.ts';
import type { SchemeName } from '../verification/profile.ts';
import type { EndpointChangeInput } from './change-schema.ts';
import type { EndpointMaker } from './create-endpoint.ts';
import { refuseHintTooOften } from './endpoint-limits.ts';
import { viewEndpoint } from './endpoint-view.ts';
import { profileOfEndpoint } from './new-secrets.ts';
import { recordEndpointChange } from './record-endpoint-change.ts';
import { lockEndpoint, updateEndpoint, type EndpointChange } from './repository.ts';
import { readSchemeSettings, type EndpointSettings } from './scheme-settings.ts';
import type { EndpointView } from './schema.ts';

type Deps = { clock: Clock; publicUrl: string; allowPrivateAddresses: boolean };
type Wanted = Omit<EndpointChangeInput, 'reason'>;

const refuse = (pointer: string, detail: string) =>
  coreProblems.requestInvalid({
    detail: 'The change does not fit the endpoint.',
    errors: [{ pointer, detail }],
  });

/** @throws ProblemError `request.invalid` naming the field */
const settingsAfter = (endpoint: EndpointRow, wanted: Wanted, deps: Deps): EndpointSettings => {
  const { settings } = endpoint;
  const { jwt, toleranceSeconds } = wanted;
  // A profile of the endpoint's own says its tolerance, too.
  const profile =
    settings.profile === undefined || toleranceSeconds === undefined || toleranceSeconds === endpoint.toleranceSeconds
      ? settings.profile
      : { ...settings.profile, toleranceSeconds };
  const changed = { ...settings, ...(profile === undefined ? {} : { profile }) };
  if (jwt === undefined) return changed;
  if (profileOfEndpoint(endpoint)?.family !== 'jwt')
    throw refuse('/body/jwt', `is not a setting of ${endpoint.scheme}`);
  const chosen = { scheme: endpoint.scheme as SchemeName, fields: { jwt }, allowedNetworks: undefined };
  return { ...changed, ...readSchemeSettings(chosen, deps).settings };
};

/** jsonb has its own order of keys. */
const comparable = (value: unknown): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );

/** The fields that would be different. */
const differences = (endpoint: EndpointRow, wanted: EndpointChange): EndpointChange =>
  Object.fromEntries(
    Object.entries(wanted).filter(
      ([field, to]) => to !== undefined && comparable(endpoint[field as keyof EndpointRow]) !== comparable(to),
    ),
  );

/** What follows from other fields: a new claim has proven nothing yet, and waiting begins anew. */
const consequences = (change: EndpointChange, now: Date): EndpointChange => ({
  ...(change.hint === undefined ? {} : { hintSince: now }),
  ...(change.expectedEverySeconds === undefined
    ? {}
    : { expectedSince: change.expectedEverySeconds === null ? null : now, silentSince: null }),
});

/**
 * Changes what may be changed of an endpoint without its partner having to know. What is already as wanted leaves no
 * trace.
 *
 * @throws ProblemError `impact_in.endpoint_not_found`; `request.invalid` naming the field
 */
export const changeEndpoint = async (
  tx: Tx,
  deps: Deps,
  maker: EndpointMaker,
  target: { id: string; change: EndpointChangeInput },
): Promise<EndpointView> => {
  const found = await lockEndpoint(tx, target.id);
  const { endpoint } = found;
  const { reason, ...wanted } = target.change;
  const { jwt: _, ...fields } = wanted;
  if (fields.allowedNetworks === null && profileOfEndpoint(endpoint)?.family === 'unsigned')
    throw refuse('/body/allowedNetworks', `is needed for ${endpoint.scheme}: nothing in its requests is signed`);
  const change = differences(endpoint, {
    ...fields,
    settings: settingsAfter(endpoint, wanted, deps),
  } as EndpointChange);
  if (Object.keys(change).length === 0) return viewEndpoint(found, deps);
  const { partner, companyId } = endpoint;
  if (typeof change.hint === 'string') await refuseHintTooOften(tx, companyId, { partner, hint: change.hint });
  const now = deps.clock.now();
  const all: EndpointChange = { ...change, ...consequences(change, now), updatedAt: now };
  await updateEndpoint(tx, endpoint.id, all);
  await recordEndpointChange(tx, maker, endpoint.id, {
    type: 'impact_in.endpoint.changed',
    category: change.settings === undefined && change.allowedNetworks === undefined ? 'admin' : 'security',
    changes: Object.fromEntries(
      Object.entries(change).map(([field, to]) => [field, { from: endpoint[field as keyof EndpointRow], to }]),
    ),
    metadata: { reason: reason ?? null },
  });
  return viewEndpoint({ ...found, endpoint: { ...endpoint, ...all } }, deps);
};
