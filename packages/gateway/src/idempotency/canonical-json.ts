class Literal {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const literal = (text: string): Literal => new Literal(text);
const comma = literal(',');

/** What has to be written for one array or object, in order. */
const partsOf = (value: object): unknown[] => {
  if (Array.isArray(value)) {
    const items = value.flatMap((item: unknown, index) => (index === 0 ? [item] : [comma, item]));
    return [literal('['), ...items, literal(']')];
  }
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, field], index) => [literal(`${index === 0 ? '' : ','}${JSON.stringify(name)}:`), field]);
  return [literal('{'), ...fields, literal('}')];
};

/**
 * Parsed JSON as text that does not depend on the order of properties or on white space (RFC 8785: names sorted by
 * UTF-16 code units, numbers as ECMAScript writes them). Without recursion: depth is the sender's choice.
 */
export const canonicalJson = (value: unknown): string => {
  let text = '';
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (next instanceof Literal) text += next.text;
    else if (typeof next === 'object' && next !== null) {
      const parts = partsOf(next);
      for (let index = parts.length - 1; index >= 0; index -= 1) pending.push(parts[index]);
    } else text += JSON.stringify(next) ?? 'null';
  }
  return text;
};
