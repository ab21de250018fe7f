import { z } from 'zod';

const decimal = /^-?\d{1,15}$/;

/**
 * A whole number in a path or query: decimal digits only, where `Number` would also take `0x10`, `1e2`, ` 7 ` and the
 * empty text. Described in the API docs as an integer.
 */
export const integerInput = (min: number, max: number) =>
  z.preprocess(
    (value) => (typeof value === 'string' && decimal.test(value) ? Number(value) : value),
    z
      .number({ error: `Use a whole number from ${min} to ${max}.` })
      .int()
      .min(min)
      .max(max),
  );
