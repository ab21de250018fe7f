/** 1 to 4 s: spread, so that everybody turned away does not come back together. */
export const retrySoon = (): { 'retry-after': string } => ({
  'retry-after': String(1 + Math.floor(Math.random() * 4)),
});
