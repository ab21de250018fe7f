export type Target = { what: string; measured: number; target: 'at least' | 'below'; limit: number; unit: string };

const isMet = ({ measured, target, limit }: Target): boolean =>
  target === 'at least' ? measured >= limit : measured < limit;

/** Prints each target with what was measured. A missed one makes the benchmark's exit code 1. */
export const printTargets = (targets: readonly Target[]): void => {
  for (const each of targets) {
    const { what, measured, target, limit, unit } = each;
    const digits = limit < 0.1 ? 4 : 2;
    process.stdout.write(
      `${isMet(each) ? 'met   ' : 'MISSED'}  ${what}: ${measured.toFixed(digits)}${unit} (target ${target} ${limit}${unit})\n`,
    );
    if (!isMet(each)) process.exitCode = 1;
  }
};
