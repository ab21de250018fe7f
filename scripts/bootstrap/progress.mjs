const everyMsInTerminal = 1_000;
const everyMsInLog = 15_000;

/**
 * Shows that a long step is alive: one line that counts the seconds in a terminal, now and then a line elsewhere.
 * Returns the function that ends it with a last line.
 */
export const showProgress = (text, stream = process.stderr) => {
  const startedAt = performance.now();
  const line = () => `${text} … ${Math.round((performance.now() - startedAt) / 1_000)} s`;
  const isTerminal = stream.isTTY;
  stream.write(isTerminal ? line() : `${text} …\n`);
  const timer = setInterval(
    () => stream.write(isTerminal ? `\r${line()}` : `${line()}\n`),
    isTerminal ? everyMsInTerminal : everyMsInLog,
  );
  return (outcome) => {
    clearInterval(timer);
    stream.write(`${isTerminal ? '\r' : ''}${line()}, ${outcome}\n`);
  };
};
