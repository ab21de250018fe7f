import { z } from 'zod';

type Dialect = 'draft-7' | 'draft-2020-12';

/**
 * The JSON Schema of a Zod schema. Dates appear as `date-time` strings: Fastify's serialiser writes them so, and
 * Zod has no JSON form for them.
 */
export const toJsonSchema = (schema: z.ZodType, io: 'input' | 'output', target: Dialect): Record<string, unknown> => {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    target,
    io,
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema._zod.def.type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' });
    },
  }) as Record<string, unknown>;
  return json;
};
