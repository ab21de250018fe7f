import { coreProblems } from '@impact-hub/core';
import type { UpstreamSettings } from './upstream-settings.ts';

/** All that can change where a path leads: encodings, other separators, dot segments, empty ones, what is cut off. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const needsALook = /[%\\;#\u0000-\u0020\u007f]|\/\.|\/\//;
const separators = /[/\\]/;
/** Servers differ in how often they decode; more than this no chain of them does. */
const mostDecodings = 4;

/** Only ASCII can steer a path; a stray `%` is left as it is, because the next decoder may leave it, too. */
const decodeAscii = (text: string): string =>
  text.replaceAll(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));

/** Undefined when there seems to be no end to it. */
const decodeFully = (path: string): string | undefined => {
  let text = path;
  for (let time = 0; time < mostDecodings; time += 1) {
    const decoded = decodeAscii(text);
    if (decoded === text) return text;
    text = decoded;
  }
  return undefined;
};

// `..;x` is a dot segment to servers that know path parameters (RFC 3986 §3.3), `..?x` and `..#x` to those that decode
// before they cut off query and fragment, `.. ` to those that trim.
const isDotSegment = (segment: string): boolean => /^\s*\.{1,2}\s*([;?#]|$)/.test(segment);

/** What is left of the path may mean another place to the upstream than to the hub. */
const isAmbiguous = (path: string): boolean => {
  if (!needsALook.test(path)) return false;
  if (path.includes('#') || path.startsWith('//')) return true;
  const decoded = decodeFully(path);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (decoded === undefined || /[\u0000-\u001f\u007f\\]/.test(decoded)) return true;
  return decoded.split(separators).some(isDotSegment) || decoded.startsWith('//');
};

/**
 * Makes the function that turns a request's address into the path for the target, query included.
 * @returns a function that throws 400 for paths that could leave the prefix once the upstream has decoded them
 */
export const targetPathOf = ({
  prefix,
  target,
  stripPrefix,
}: Pick<UpstreamSettings, 'prefix' | 'target' | 'stripPrefix'>) => {
  const base = new URL(target).pathname.replace(/\/$/, '');
  const kept = stripPrefix ? '' : prefix;
  return (url: string): string => {
    const mark = url.indexOf('?');
    const path = mark === -1 ? url : url.slice(0, mark);
    const rest = path.slice(prefix.length);
    // The router decodes before it compares; what goes out must be what was compared.
    if (!path.startsWith(prefix) || (rest !== '' && !rest.startsWith('/'))) throw coreProblems.notFound();
    if (isAmbiguous(rest))
      throw coreProblems.requestInvalid({
        detail:
          'The path has dot segments, backslashes, empty segments or control characters that could lead elsewhere.',
        errors: [
          {
            pointer: '/params/*',
            detail: 'Write the path without dot segments, backslashes, empty segments or control characters.',
          },
        ],
      });
    const whole = `${base}${kept}${rest}`;
    return `${whole === '' ? '/' : whole}${mark === -1 ? '' : url.slice(mark)}`;
  };
};
