/** What npm's output may contain, and what to tell the person. The first that matches counts. */
const explanations = [
  [/ENOSPC|no space left/i, 'There is no room left on the disk: free at least 2 GB and run the command again.'],
  [
    /EUSAGE|can only install packages when your package\.json and package-lock\.json/,
    'package-lock.json does not fit package.json: run npm install, or restore both files, and run the command again.',
  ],
  [
    /EINTEGRITY/,
    'A downloaded package is not the one that package-lock.json names: run npm cache clean --force and run the command again.',
  ],
  [
    /EBADPLATFORM/,
    'A package does not support this platform: use Linux (glibc) or macOS on x64 or arm64, and run the command again.',
  ],
  [
    /EACCES|EPERM|EROFS/,
    'npm may not write where it has to: make this directory and your npm cache (npm config get cache) writable for this user.',
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT|CERT_|SELF_SIGNED/,
    'The package registry cannot be reached: check the network connection and the proxy settings of npm, and run the command again.',
  ],
  [
    /\bE(?:401|403|404|429|5\d\d)\b|ETARGET/,
    'The package registry does not give out a package: check which registry npm is set up to use (npm config get registry), and run the command again.',
  ],
];

/** One sentence on why `npm ci` failed and what to do. */
export const explainInstallFailure = (output, { code, signal }) =>
  explanations.find(([pattern]) => pattern.test(output))?.[1] ??
  `npm ci ended with ${signal ?? `exit code ${code}`}: see its output above (VERBOSE=1 shows all of it) and run the command again.`;

/** npm's output without the names of hosts: whose registry a machine uses is nobody's business in a pasted log. */
export const hideHosts = (output) =>
  output
    .replace(/\bhttps?:\/\/[^\s/'"]+/g, 'https://<registry>')
    .replace(/\b(getaddrinfo \w+|connect E\w+|E(?:NOTFOUND|AI_AGAIN)) \S+/g, '$1 <registry>');
