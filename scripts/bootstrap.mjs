#!/usr/bin/env node
// What `npm start`, `npm test` and their like run: prepares this checkout, then hands over to the task. Only this file
// is read by a Node.js that is too old, so it uses nothing that an old one would not understand.
var major = parseInt(process.versions.node, 10);
if (major >= 20) {
  void import('./bootstrap/main.mjs').then(function (module) {
    return module.main(process.argv.slice(2));
  });
} else {
  console.error(
    'Impact Hub needs Node.js 20 or newer, but this is ' +
      process.version +
      ': install a current version (https://nodejs.org) and run the command again.',
  );
  process.exitCode = 1;
}
