/** Headers that belong to one connection (RFC 9110 §7.6.1), and those a proxy must not repeat. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

const none: ReadonlySet<string> = new Set();

/** The headers a `Connection` field names besides; they end here, too. */
const namedBy = (connection: string | undefined): ReadonlySet<string> => {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return none;
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
};

/** Tells which header fields of one message end at the hub. */
export const endsHere = (connection: string | undefined): ((lowerName: string) => boolean) => {
  const named = namedBy(connection);
  return (name) => hopByHop.has(name) || named.has(name);
};
