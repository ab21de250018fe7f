import { readJson } from '../../partners/read-event.ts';

const maxPlaces = 50;
const maxPlaceCharacters = 300;
const maxDepth = 20;
/** Names and elements of both; some 20 ms. Events have dozens. */
const maxCompared = 50_000;

const isTree = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const escape = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

/** Names can be as long as a body. */
const placeOf = (pointer: string, name: string): string =>
  pointer.length >= maxPlaceCharacters ? pointer : `${pointer}/${escape(name.slice(0, maxPlaceCharacters))}`;

/** Null when there is too much to compare. */
const compare = (first: unknown, second: unknown): string[] | null => {
  const places: string[] = [];
  let left = maxCompared;
  const visit = (a: unknown, b: unknown, pointer: string, depth: number): void => {
    if (left < 0 || places.length === maxPlaces || Object.is(a, b)) return;
    if (!isTree(a) || !isTree(b) || Array.isArray(a) !== Array.isArray(b) || depth === maxDepth) {
      places.push((pointer === '' ? '/' : pointer).slice(0, maxPlaceCharacters));
      return;
    }
    const names = [...Object.keys(a), ...Object.keys(b)];
    left -= names.length;
    if (left < 0) return;
    const member = (tree: Record<string, unknown>, name: string) =>
      Object.hasOwn(tree, name) ? tree[name] : undefined;
    for (const name of new Set(names)) visit(member(a, name), member(b, name), placeOf(pointer, name), depth + 1);
  };
  visit(first, second, '', 0);
  return left < 0 ? null : places;
};

/**
 * Places, as JSON pointers without values, at which two bodies differ; at most 50.
 *
 * @returns null when one of them is not JSON, or both have too many parts to compare
 */
export const compareBodies = (first: Buffer, second: Buffer): string[] | null => {
  const [a, b] = [readJson(first), readJson(second)];
  if (a === null || b === null) return null;
  return compare(a.value, b.value);
};
