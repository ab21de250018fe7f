import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Figures of one value per label, or null when they cannot be read now. */
type ReadLabelled = () => Promise<Readonly<Record<string, number>> | null>;

/** Registers the metrics of one part of the hub: each in one line, read or counted. */
export type MetricFamily = {
  counter<L extends string = never>(name: string, help: string, labelNames?: readonly L[]): Counter<L>;
  histogram<L extends string = never>(
    name: string,
    help: string,
    buckets: readonly number[],
    labelNames?: readonly L[],
  ): Histogram<L>;
  /** @param read at scrape time; null, as from `readInTime`, becomes `NaN` */
  gauge(name: string, help: string, read: () => number | Promise<number | null>): void;
  /** @param read at scrape time; null leaves the figures out */
  gaugeBy(name: string, help: string, label: string, read: ReadLabelled): void;
};

export const metricFamily = (registry: Registry): MetricFamily => {
  const registers = [registry];
  return {
    counter: <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
      new Counter<L>({ name, help, labelNames, registers }),
    histogram: <L extends string = never>(
      name: string,
      help: string,
      buckets: readonly number[],
      labelNames: readonly L[] = [],
    ) => new Histogram<L>({ name, help, labelNames, buckets: [...buckets], registers }),
    gauge: (name, help, read) => {
      new Gauge({
        name,
        help,
        registers,
        async collect() {
          this.set((await read()) ?? Number.NaN);
        },
      });
    },
    gaugeBy: (name, help, label, read) => {
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        async collect() {
          const found = await read();
          this.reset();
          for (const [value, figure] of Object.entries(found ?? {})) this.set({ [label]: value }, figure);
        },
      });
    },
  };
};
