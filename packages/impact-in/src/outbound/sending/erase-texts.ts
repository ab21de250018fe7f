/** Shorter texts say little, and removing them would remove everything. */
const minCharacters = 3;
export const removed = '[removed]';

/** What is cut off is some hundred characters long. */
const maxBeginning = 400;

/** Where the beginning of the text stands at the end of the other, longest first; its length where it does not. */
const findBeginning = (text: string, one: string): number => {
  const first = Math.max(0, text.length - Math.min(one.length - 1, maxBeginning));
  const start = one.slice(0, minCharacters);
  for (let at = text.indexOf(start, first); at !== -1; at = text.indexOf(start, at + 1))
    if (one.startsWith(text.slice(at))) return at;
  return text.length;
};

/**
 * Makes the function that takes every occurrence of the texts out; where different ones overlap, all of it. Searching
 * is left to the engine, whose time is in proportion to the text for each: partners choose the answers, companies what
 * is looked for.
 *
 * @param cutAtCharacters texts of this length and more may have been cut off: the beginning of one at their end goes too
 */
export const createEraser = (texts: readonly string[], cutAtCharacters: number): ((text: string) => string) => {
  const wanted = [...new Set(texts)].filter((text) => text.length >= minCharacters);
  return (text) => {
    const gaps: [from: number, until: number][] = [];
    for (const one of wanted) {
      for (let at = text.indexOf(one); at !== -1; at = text.indexOf(one, at + one.length))
        gaps.push([at, at + one.length]);
      const cutOff = text.length < cutAtCharacters ? text.length : findBeginning(text, one);
      if (cutOff < text.length) gaps.push([cutOff, text.length]);
    }
    let left = '';
    let keptUntil = 0;
    for (const [from, until] of gaps.toSorted((a, b) => a[0] - b[0])) {
      if (from > keptUntil || left === '') left += text.slice(keptUntil, from) + removed;
      keptUntil = Math.max(keptUntil, until);
    }
    return left + text.slice(keptUntil);
  };
};
