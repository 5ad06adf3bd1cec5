/** Writes what a daemon has to say. */
export type Log = {
  readonly debug: (text: string) => void;
  readonly info: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly error: (text: string) => void;
};

const line = (level: string, text: string): string =>
  `${new Date().toISOString()} ${level} ${text.replaceAll(/\s*\n\s*/g, ' | ')}\n`;

/** Plain lines of time, level and text: warnings and errors on standard error, the rest on standard output. */
export const consoleLog = (debug: boolean): Log => ({
  debug: (text) => {
    if (debug) process.stdout.write(line('DEBUG', text));
  },
  info: (text) => process.stdout.write(line('INFO', text)),
  warn: (text) => process.stderr.write(line('WARN', text)),
  error: (text) => process.stderr.write(line('ERROR', text)),
});
