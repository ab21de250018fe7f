import type { Refusal, Words } from '../hub-api/explain-problem.ts';

/** How `hub connections …` speaks of what the hub answers. */
export const connectionsWords: Words = {
  group: 'connections',
  remedies: new Map<string, (refusal: Refusal) => string>([
    ['impact_in.connection_not_found', () => 'See which there are: hub connections list.'],
    ['impact_in.too_many_connections', () => 'Delete one that is not needed: hub connections delete.'],
  ]),
  options: new Map([
    ['api', '--api'],
    ['name', '--name'],
    ['baseUrl', '--base-url'],
    ['tenant', '--tenant'],
    ['credentials', '--credentials-file'],
    ['requestsPerMinute', '--requests-per-minute'],
    ['partner', '--partner'],
  ]),
};
