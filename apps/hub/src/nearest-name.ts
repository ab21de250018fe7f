const editDistance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return row[b.length] ?? 0;
};

/** The known name that a mistyped one most likely means: the one of the fewest edits. Empty when none is known. */
export const nearestName = (name: string, known: readonly string[]): string =>
  known.toSorted((a, b) => editDistance(name, a) - editDistance(name, b))[0] ?? '';
