import type { Refusal, Words } from '../hub-api/explain-problem.ts';

const endpointIn = ({ path }: Refusal): string => /\/endpoints\/([0-9a-f-]{36})\b/.exec(path)?.[1] ?? '<endpointId>';

/** How `hub endpoints …` speaks of what the hub answers. */
export const endpointsWords: Words = {
  group: 'endpoints',
  remedies: new Map<string, (refusal: Refusal) => string>([
    ['impact_in.endpoint_not_found', () => 'See which there are: hub endpoints list.'],
    ['impact_in.secret_not_found', (refusal) => `See which there are: hub endpoints show ${endpointIn(refusal)}.`],
    ['impact_in.too_many_endpoints', () => 'Delete one that is not needed: hub endpoints delete.'],
    [
      'impact_in.rotation_overlaps',
      (refusal) =>
        `Run hub endpoints retire-secret ${endpointIn(refusal)} with the id of the old secret once it has not matched` +
        ' for a while, wait for its end, or add --force, which ends it at once.',
    ],
    [
      'impact_in.only_secret',
      (refusal) => `End it by making another one: hub endpoints rotate ${endpointIn(refusal)} --overlap 0s.`,
    ],
    ['impact_in.no_secret_to_rotate', () => 'The partner signs with keys of its own: give its new ones to the hub.'],
  ]),
  options: new Map([
    ['partner', '--partner'],
    ['name', '--name'],
    ['scheme', '--scheme'],
    ['hint', '--hint'],
    ['toleranceSeconds', '--tolerance'],
    ['bodyLimitBytes', '--body-limit'],
    ['allowedNetworks', '--allow-ip'],
    ['expectedEverySeconds', '--expect-every'],
    ['acceptWeak', '--accept-weak'],
    ['overlapSeconds', '--overlap'],
    ['secret', '--secret-file'],
    ['force', '--force'],
    ['reason', '--reason'],
    ['profile', '--settings'],
    ['jwt', '--settings'],
    ['username', '--settings'],
    ['secretId', 'secret'],
  ]),
};
