export { createImpactIn, type ImpactIn, type ImpactInOptions } from './create-impact-in.ts';
export type { ImpactInDeps } from './deps.ts';
export { impactInModule } from './module.ts';
export { createEndpoint, type EndpointMaker } from './endpoints/create-endpoint.ts';
export type { EndpointCredentials } from './endpoints/new-secrets.ts';
export type { ConfirmEvent, EventConfirmation, EventQuestion } from './confirmation/confirm-event.ts';
export type { PingView } from './endpoints/ping/schema.ts';
export type { CreateEndpointInput, EndpointView } from './endpoints/schema.ts';
export { setEndpointState } from './endpoints/set-endpoint-state.ts';
export { endpointHeardAgain, endpointSilent } from './endpoints/silence/watch-silence.ts';
export { deliveryUpdated } from './deliveries/process-receipt.ts';
export { receiptConflict } from './deliveries/report-conflict.ts';
export type { DeliveryDetail, ReplayItemView, ReplayView } from './replay/schema.ts';
export { inboxLimits, type GroupCommitLimits } from './inbox/group-commit.ts';
export * from './tables.ts';
export * from './outbound/tables.ts';
export { credentialNames } from './outbound/connections/credentials.ts';
export { createConnection } from './outbound/connections/create-connection.ts';
export type { ConnectionView, CreateConnectionInput } from './outbound/connections/schema.ts';
export { partnerApiNames, partnerApis, type PartnerApiName } from './outbound/partner-apis.ts';
export { partnerOf } from './partners/partner-of.ts';
export { readEvent } from './partners/read-event.ts';
export {
  defaultSchemeOf,
  partnerNames,
  profiles,
  schemeNames,
  schemesOf,
  type PartnerName,
  type Profile,
  type SchemeName,
} from './verification/profile.ts';
export { readPinnedKeys } from './verification/pinned-keys.ts';
export { verifyBasic } from './verification/verify-basic.ts';
export { verifyJwt } from './verification/verify-jwt.ts';
export { verifyHmac } from './verification/verify-webhook.ts';
export { secretKey } from './verification/secret-key.ts';
export { fetchAccessToken } from './simulators/fetch-access-token.ts';
export {
  faultNames,
  faults,
  faultsOf,
  injectFault,
  type FaultInput,
  type FaultName,
} from './simulators/inject-fault.ts';
export { makeEvent, type EventSeed, type SimulatedEvent } from './simulators/make-event.ts';
export { mintToken, type TokenDraft } from './simulators/mint-token.ts';
export { signRequest, type SignedRequest, type SignInput } from './simulators/sign-request.ts';
export { sendRequest, simulatePartner, type Simulation } from './simulators/simulate-partner.ts';
export { apiFaultNames, type ApiFault } from './simulators/partner-apis/api-faults.ts';
export { startPartnerApis, type PartnerApis } from './simulators/partner-apis/start-partner-apis.ts';
