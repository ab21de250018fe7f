/** Longest text in characters that a search column holds and a filter accepts; the event's body keeps the whole text. */
export const maxSearchTextLength = 200;

/** The searchable form of an id or name. */
export const searchText = (text: string | undefined): string | null =>
  text?.slice(0, maxSearchTextLength).replaceAll('\u0000', '').toWellFormed() ?? null;
