const maxPlaces = 50;
const maxDepth = 20;

const isTree = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

const escape = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

function* differences(a: unknown, b: unknown, pointer: string, depth: number): Generator<string> {
  if (Object.is(a, b)) return;
  if (!isTree(a) || !isTree(b) || Array.isArray(a) !== Array.isArray(b) || depth === maxDepth) {
    yield pointer === '' ? '/' : pointer;
    return;
  }
  for (const name of new Set([...Object.keys(a), ...Object.keys(b)]))
    yield* differences(a[name], b[name], `${pointer}/${escape(name)}`, depth + 1);
}

const parse = (body: Buffer): { value: unknown } | null => {
  try {
    return { value: JSON.parse(body.toString('utf8')) as unknown };
  } catch {
    return null;
  }
};

/**
 * Places, as JSON pointers without values, at which two bodies differ; at most 50.
 *
 * @returns null when one of them is not JSON
 */
export const compareBodies = (first: Buffer, second: Buffer): string[] | null => {
  const [a, b] = [parse(first), parse(second)];
  if (a === null || b === null) return null;
  const places: string[] = [];
  for (const place of differences(a.value, b.value, '', 0)) {
    places.push(place.slice(0, 300));
    if (places.length === maxPlaces) break;
  }
  return places;
};
