/** Shorter texts say little, and removing them would remove everything. */
const minCharacters = 3;
export const removed = '[removed]';

/**
 * Makes the function that takes every occurrence of the texts out, in one pass however many there are: partners choose
 * the answers, and hundreds of texts belong to a call.
 *
 * @param cutAtCharacters texts of this length and more may have been cut off: the beginning of one at their end goes too
 */
export const createEraser = (texts: readonly string[], cutAtCharacters: number): ((text: string) => string) => {
  const wanted = [...new Set(texts)].filter((text) => text.length >= minCharacters);
  const byStart = Map.groupBy(wanted, (text) => text.slice(0, minCharacters));
  return (text) => {
    const mayBeCut = text.length >= cutAtCharacters;
    const endOfMatch = (at: number): number => {
      let end = at;
      for (const one of byStart.get(text.slice(at, at + minCharacters)) ?? [])
        if (at + one.length > end && text.startsWith(one, at)) end = at + one.length;
        else if (mayBeCut && at + one.length > text.length && one.startsWith(text.slice(at))) end = text.length;
      return end;
    };
    let left = '';
    let keptUntil = 0;
    // Those that overlap are one gap.
    let gapUntil = -1;
    for (let at = 0; at < text.length; at += 1) {
      const end = endOfMatch(at);
      if (end === at || end <= gapUntil) continue;
      if (at > gapUntil) left += text.slice(keptUntil, at) + removed;
      gapUntil = end;
      keptUntil = end;
    }
    return left + text.slice(keptUntil);
  };
};
