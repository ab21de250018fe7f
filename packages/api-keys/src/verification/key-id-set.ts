import { base62Alphabet } from '../base62.ts';

const digitOf = new Uint8Array(128);
for (let digit = 0; digit < base62Alphabet.length; digit += 1) digitOf[base62Alphabet.charCodeAt(digit)] = digit;

/** 62^8 is the largest such power that a double holds exactly; two of n random ids share it once in 2.2e14 / n. */
const digitsKept = 8;
const firstCapacity = 1_024;

/** Above 0, so that 0 can mark a free place. */
const numberOf = (keyId: string): number => {
  let number = 0;
  for (let index = 0; index < digitsKept; index += 1) number = number * 62 + (digitOf[keyId.charCodeAt(index)] ?? 0);
  return number + 1;
};

/**
 * A set of random base62 ids at 12 to 24 bytes each: open addressing over the number that an id's first eight
 * characters make. It may take an id for another that begins alike, never miss one that was added.
 */
export const createKeyIdSet = () => {
  let places = new Float64Array(firstCapacity);
  let size = 0;

  const placeOf = (number: number): number => {
    let place = number % places.length;
    for (let held = places[place]; held !== 0 && held !== number; held = places[place])
      place = (place + 1) % places.length;
    return place;
  };
  const grow = (): void => {
    const old = places;
    places = new Float64Array(old.length * 2);
    for (const number of old) if (number !== 0) places[placeOf(number)] = number;
  };

  return {
    add: (keyId: string): void => {
      const number = numberOf(keyId);
      const place = placeOf(number);
      if (places[place] === number) return;
      places[place] = number;
      size += 1;
      if (size * 3 > places.length * 2) grow();
    },
    has: (keyId: string): boolean => places[placeOf(numberOf(keyId))] !== 0,
    size: (): number => size,
  };
};
