/** The digits of base62, from 0 on. */
export const base62Alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** The largest multiple of 62 in a byte; bytes from here on are thrown away, so that every character is equally likely. */
const acceptBelow = 248;

/** `length` uniformly random characters. */
export const randomBase62 = (length: number, random: (size: number) => Buffer): string => {
  let text = '';
  while (text.length < length)
    for (const byte of random(length - text.length)) if (byte < acceptBelow) text += base62Alphabet[byte % 62];
  return text;
};

/** A non-negative integer, big-endian, padded with `0` to `width` characters. */
export const encodeBase62 = (value: number, width: number): string => {
  let text = '';
  for (let rest = value; text.length < width; rest = Math.floor(rest / 62)) text = base62Alphabet[rest % 62] + text;
  return text;
};
