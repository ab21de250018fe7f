import { defineProblem } from '@impact-hub/core';

export const rotationOverlaps = defineProblem({
  code: 'impact_in.rotation_overlaps',
  status: 409,
  title: 'The secret of an earlier rotation is still valid',
  remedy:
    'Retire the old secret by `POST …/endpoints/:id/secrets/:secretId/retire` once it has not matched for a while, wait' +
    ' for its end, or send `force: true`, which ends it at once.',
});
export const noSecretToRotate = defineProblem({
  code: 'impact_in.no_secret_to_rotate',
  status: 409,
  title: 'The hub has no secret of this endpoint',
  remedy: 'The partner signs with keys of its own: change the `jwt` of the endpoint when they change.',
});
export const secretNotFound = defineProblem({
  code: 'impact_in.secret_not_found',
  status: 404,
  title: 'The endpoint has no such secret',
  remedy: 'Read the endpoint and use the id of one of its `secrets`.',
});
export const onlySecret = defineProblem({
  code: 'impact_in.only_secret',
  status: 409,
  title: 'The endpoint would be left without a secret',
  remedy:
    'Rotate it with `overlapSeconds: 0`, which ends this secret and makes another one; or pause or delete the endpoint.',
});
export const pingLimited = defineProblem({
  code: 'impact_in.ping_limited',
  status: 429,
  title: 'The company has tried its endpoints many times',
  remedy: 'Try again after the seconds given in `Retry-After`; the receipts of earlier pings have the outcome `test`.',
});
