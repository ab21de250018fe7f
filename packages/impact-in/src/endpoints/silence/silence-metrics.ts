import type { MetricsRegistry } from '@impact-hub/core';
import { Gauge } from 'prom-client';
import { partnerNames } from '../../verification/profile.ts';
import type { EndpointDirectory } from '../endpoint-directory.ts';

/** Read from memory when scraped; every process tells the same within moments. */
export const registerSilenceMetrics = (registry: MetricsRegistry, directory: EndpointDirectory): void => {
  new Gauge({
    name: 'impact_in_silent_endpoints',
    help: 'Endpoints whose partner has sent nothing new for longer than expected, by partner.',
    labelNames: ['partner'],
    registers: [registry],
    collect() {
      for (const partner of partnerNames) this.set({ partner }, directory.countSilent(partner));
    },
  });
};
