import { readJson } from '../../partners/read-event.ts';

type Layout = { comma: string; colon: string; indent: string; isAscii: boolean };

/** How libraries write JSON. */
export const jsonForms: readonly (Layout & { form: string })[] = [
  { form: 'without blanks', comma: ',', colon: ':', indent: '', isAscii: false },
  // As Python's json.dumps does unless it is told otherwise.
  { form: 'with blanks after commas and colons', comma: ', ', colon: ': ', indent: '', isAscii: true },
  { form: 'indented by two blanks', comma: ',', colon: ': ', indent: '  ', isAscii: false },
  { form: 'indented by four blanks', comma: ',', colon: ': ', indent: '    ', isAscii: false },
];

/**
 * Events are flat, and indented they grow to twice or three times their size. The bodies of strangers need not be so:
 * written with blanks for every level they grow with the square of their depth, and beyond some thousand levels the stack
 * does not suffice.
 */
const maxDepth = 32;
const maxGrowth = 4;
/** So that `{}` and the like may grow too. */
const spareCharacters = 256;

const escapeUnit = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** Null as soon as it nests deeper than 32 levels or is longer than allowed. */
const write = (value: unknown, { comma, colon, indent, isAscii }: Layout, maxCharacters: number): string | null => {
  const parts: string[] = [];
  let left = maxCharacters;
  const put = (text: string): boolean => {
    parts.push(text);
    left -= text.length;
    return left >= 0;
  };
  const scalar = (part: unknown): string =>
    isAscii ? JSON.stringify(part).replaceAll(/[\u007f-\uffff]/g, escapeUnit) : JSON.stringify(part);
  const line = (depth: number): string => (indent === '' ? '' : `\n${indent.repeat(depth)}`);
  const writePart = (part: unknown, depth: number): boolean => {
    if (typeof part !== 'object' || part === null) return put(scalar(part));
    if (depth === maxDepth) return false;
    const isList = Array.isArray(part);
    let isFirst = true;
    for (const [name, member] of Object.entries(part)) {
      const start = `${isFirst ? (isList ? '[' : '{') : comma}${line(depth + 1)}`;
      isFirst = false;
      if (!put(isList ? start : `${start}${scalar(name)}${colon}`) || !writePart(member, depth + 1)) return false;
    }
    if (isFirst) return put(isList ? '[]' : '{}');
    return put(`${line(depth)}${isList ? ']' : '}'}`);
  };
  return writePart(value, 0) ? parts.join('') : null;
};

/** A body's JSON in other forms; none when it is no JSON, and without those that are too much work. */
export const rewriteJson = (body: Buffer): { form: string; text: string }[] => {
  const json = readJson(body);
  if (json === null) return [];
  return jsonForms.flatMap((layout) => {
    const text = write(json.value, layout, body.length * maxGrowth + spareCharacters);
    return text === null ? [] : [{ form: layout.form, text }];
  });
};
