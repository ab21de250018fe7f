import { bindModule, buildOpenApi } from '@impact-hub/core';
import { expect, test } from 'vitest';
import type { ImpactInDeps } from '../deps.ts';
import { impactInModule } from '../module.ts';
import { signRequest } from '../simulators/sign-request.ts';
import { partnerNames, profiles, schemesOf, type Profile } from '../verification/profile.ts';

type Operation = {
  description: string;
  parameters: { name: string; in: string; required: boolean; description: string }[];
  responses: Record<string, { description?: string }>;
};
const { paths } = buildOpenApi([bindModule(impactInModule, {} as ImpactInDeps)], {
  version: '1',
  serverUrl: 'http://hub.test',
}) as { paths: Record<string, Record<string, Operation>> };
const operationAt = (path: string): Operation => paths[path]?.['post'] as Operation;
const atEndpoint = operationAt('/webhooks/{partner}/{endpointId}');
const headersAt = ({ parameters }: Operation): string[] =>
  parameters.filter((parameter) => parameter.in === 'header').map(({ name }) => name.toLowerCase());
const presets: readonly Profile[] = Object.values(profiles);
const signed = presets.filter((profile) => profile.family === 'hmac');

test.each(signed)('what $scheme sends is said: its headers, and the text that is signed', (profile) => {
  const secret = profile.keyEncoding === 'whsec' ? 'whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=' : 'secret';
  const { headers } = signRequest({
    scheme: profile.scheme as 'benevity-hmac',
    secret,
    body: Buffer.from('{}'),
    nowMs: Date.now(),
    eventId: 'msg_1',
  });
  const sent = Object.keys(headers).map((name) => name.toLowerCase());
  expect(headersAt(atEndpoint)).toEqual(expect.arrayContaining(sent.filter((name) => name !== 'content-type')));
  const line = atEndpoint.description.split('\n').find((text) => text.includes(`\`${profile.scheme}\``));
  expect(line).toContain(`\`${profile.signedTemplate}\``);
  expect(line).toContain(profile.encoding);
  expect(line).toContain(profile.signatureHeader);
});

test('every scheme is described where it can be used, and no other', () => {
  for (const profile of presets) expect(atEndpoint.description).toContain(`\`${profile.scheme}\``);
  for (const partner of partnerNames) {
    const { description, parameters } = operationAt(`/webhooks/${partner}`);
    const own = schemesOf(partner).filter((scheme) => signed.some((profile) => profile.scheme === scheme));
    const foreign = signed.filter(({ partners }) => !partners.includes(partner)).map(({ scheme }) => scheme);
    for (const scheme of own) expect(description).toContain(`\`${scheme}\``);
    for (const scheme of foreign) expect(description).not.toContain(`\`${scheme}\``);
    expect(parameters.every(({ required }) => !required)).toBe(true);
  }
});

test('the answers are those that are given: an unknown endpoint is a 401 like any other refusal', () => {
  for (const path of ['/webhooks/{partner}/{endpointId}', ...partnerNames.map((name) => `/webhooks/${name}`)])
    expect(Object.keys(operationAt(path).responses)).toEqual(['200', '202', '401', '413', '415', '503', 'default']);
});
