import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { dirname, join } from 'node:path';
import type postgres from 'postgres';

type Change = { find: string; replace: string };

/**
 * postgres.js 3.4.9 does not survive the loss of a connection that somebody holds (a transaction, a reserved one):
 * the ROLLBACK it sends next ends the whole process (porsager/postgres#1154, #1208), a write that was planned when the
 * connection closed keeps the slot from ever writing again, the first query after connecting again fails with the old
 * connection's error, a released dead connection is handed to the next caller, and the rest of an interrupted
 * transaction runs outside of one as soon as its slot has connected again. Until a release mends these, they are
 * mended here.
 */
const changes: Record<'connection.js' | 'index.js', readonly Change[]> = {
  'connection.js': [
    // Nothing planned for the old socket may reach the new one, or keep it silent.
    {
      find: '    clearImmediate(nextWriteTimer)\n    if (socket) {',
      replace: '    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    if (socket) {',
    },
    {
      find: '    clearImmediate(nextWriteTimer)\n    socket.removeListener',
      replace: '    clearImmediate(nextWriteTimer)\n    chunk = nextWriteTimer = null\n    socket.removeListener',
    },
    // The failure of the query of types goes to the statement it precedes, but would also be thrown where nobody listens.
    { find: '        return fetchArrayTypes()', replace: '        return fetchArrayTypes().catch(noop)' },
    // What was queued between the socket's error and its end would never be answered; what the old connection said last
    // would be taken for the new one's answer.
    {
      find: "    socket = null\n\n    if (initial)\n      return reconnect()\n\n    !hadError && (query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))\n",
      replace:
        "    socket = errorResponse = null\n\n    if (initial)\n      return reconnect()\n\n    ;(query || sent.length) && error(Errors.connection('CONNECTION_CLOSED', options, socket))\n    query = results = null\n    result = new Result()\n",
    },
    {
      find: '    if (stream)\n      return queryError(q,',
      replace:
        "    if (!socket)\n      return queryError(q, Errors.connection('CONNECTION_CLOSED', options)), true\n\n    if (stream)\n      return queryError(q,",
    },
  ],
  'index.js': [
    {
      find: '    move(c, closed)\n    c.reserved = null\n',
      replace: '    move(c, closed)\n    c.reserved = null\n    c.losses = (c.losses || 0) + 1\n',
    },
    // Whoever held the connection when it was lost does not get the one that takes its place.
    {
      find: '    const sql = Sql(handler)\n    sql.release = () => {\n      c.reserved = null\n',
      replace:
        '    const losses = c.losses\n    const sql = Sql(handler)\n    sql.release = () => {\n      if (c.losses !== losses)\n        return\n      c.reserved = null\n',
    },
    {
      find: '    function handler(q) {\n      c.queue === full\n        ? queue.push(q)',
      replace:
        "    function handler(q) {\n      if (c.losses !== losses)\n        return q.reject(Errors.connection('CONNECTION_CLOSED', options, options))\n      c.queue === full\n        ? queue.push(q)",
    },
    {
      find: '      const sql = Sql(handler)\n      sql.savepoint = savepoint\n',
      replace: '      const losses = c.losses\n      const sql = Sql(handler)\n      sql.savepoint = savepoint\n',
    },
    {
      find: '        q.catch(e => uncaughtError || (uncaughtError = e))\n',
      replace:
        "        q.catch(e => uncaughtError || (uncaughtError = e))\n        if (c.losses !== losses)\n          return q.reject(Errors.connection('CONNECTION_CLOSED', options, options))\n",
    },
  ],
};

const mend = (file: string, source: string, list: readonly Change[]): string =>
  list.reduce((text, { find, replace }) => {
    if (text.split(find).length !== 2)
      throw new Error(
        `postgres.js has changed: ${file} no longer holds what is mended here; see whether it still has to be`,
      );
    return text.replace(find, () => replace);
  }, source);

/** A CommonJS module in the making; `_compile` is what `require` itself calls with a file's text. */
type CompilingModule = Module & { _compile(source: string, file: string): void };

const load = (): typeof postgres => {
  const require = createRequire(import.meta.url);
  const entry = require.resolve('postgres');
  // In this order, because the second requires the first.
  for (const name of ['connection.js', 'index.js'] as const) {
    const file = join(dirname(entry), name);
    const module = new Module(file) as CompilingModule;
    Object.assign(module, { filename: file, paths: [] });
    module._compile(mend(name, readFileSync(file, 'utf8'), changes[name]), file);
    module.loaded = true;
    require.cache[file] = module;
  }
  return (require.cache[entry] as unknown as { exports: typeof postgres }).exports;
};

/** The PostgreSQL driver, a copy of its own: its CommonJS form, which nothing else in the hub loads. */
export const createClient: typeof postgres = load();
