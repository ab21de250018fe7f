import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const body = Buffer.from('{"id":"0199c0de-0000-7000-8000-000000000000","status":"success","attempts":1}');

/** The service behind every proxy: answers at once. */
const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
  response.end(body);
});
server.keepAliveTimeout = 65_000;
server.listen(0, '127.0.0.1', () =>
  process.stderr.write(`ready at http://127.0.0.1:${(server.address() as AddressInfo).port} (benchmark)\n`),
);
process.once('SIGTERM', () => process.exit(0));
