import type { MetricsRegistry } from '@impact-hub/core';

/** The values of one of this process's metrics, summed by one of its labels; empty while there is none of that name. */
export const readByLabel = async (
  metrics: MetricsRegistry,
  name: string,
  label: string,
): Promise<Record<string, number>> => {
  const values = (await metrics.getSingleMetric(name)?.get())?.values ?? [];
  const sums: Record<string, number> = {};
  for (const { labels, value } of values) {
    const key = String(labels[label] ?? '');
    sums[key] = (sums[key] ?? 0) + value;
  }
  return sums;
};
