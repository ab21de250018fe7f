const [quote, colon, backslash] = [34, 58, 92];

/** @returns the place of the quote that ends the string which begins at `start` */
const endOfString = (json: string, start: number): number => {
  let end = start;
  for (;;) {
    end = json.indexOf('"', end + 1);
    let escapes = 0;
    while (json.charCodeAt(end - 1 - escapes) === backslash) escapes += 1;
    if (escapes % 2 === 0) return end;
  }
};

const countWritten = (json: string): number => {
  let members = 0;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === quote) at = endOfString(json, at);
    else if (code === colon) members += 1;
  }
  return members;
};

const countParsed = (value: unknown): number => {
  let members = 0;
  // No recursion: a body may nest as deep as it is long.
  const waiting = [value];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== 'object' || next === null) continue;
    const values = Object.values(next);
    if (!Array.isArray(next)) members += values.length;
    for (const one of values) if (typeof one === 'object') waiting.push(one);
  }
  return members;
};

/** An object with the names seen in it, or an array; `at` is the member or the item that is being read. */
type Frame = { names: Set<string> | undefined; at: string | number };

const pointerTo = (frames: readonly Frame[]): string =>
  frames.map(({ at }) => `/${String(at).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** Only a name is followed by a colon. */
const nameEnds = /\s*:/y;

const locate = (json: string): string | undefined => {
  const frames: Frame[] = [];
  for (let at = 0; at < json.length; at += 1) {
    const frame = frames.at(-1);
    switch (json.charAt(at)) {
      case '{':
        frames.push({ names: new Set(), at: '' });
        break;
      case '[':
        frames.push({ names: undefined, at: 0 });
        break;
      case '}':
      case ']':
        frames.pop();
        break;
      case ',':
        if (typeof frame?.at === 'number') frame.at += 1;
        break;
      case '"': {
        const end = endOfString(json, at);
        const text = json.slice(at, end + 1);
        at = end;
        nameEnds.lastIndex = end + 1;
        if (frame?.names === undefined || !nameEnds.test(json)) break;
        frame.at = JSON.parse(text) as string;
        if (frame.names.has(frame.at)) return pointerTo(frames);
        frame.names.add(frame.at);
      }
    }
  }
  return undefined;
};

/**
 * The first name that an object gives twice, of which `JSON.parse` keeps the last: whoever reads the first would act on
 * something else. Counting tells that there is one, for about what parsing costs; only then is it looked for.
 * @param json the text `value` was parsed from
 * @returns a JSON pointer to it
 */
export const findRepeatedName = (json: string, value: unknown): string | undefined =>
  countWritten(json) === countParsed(value) ? undefined : locate(json);
