/** Writes what a daemon has to say. */
export type Log = {
  readonly debug: (text: string) => void;
  readonly info: (text: string) => void;
  readonly warn: (text: string) => void;
  readonly error: (text: string) => void;
};

/** What a terminal would obey, and what is no text. */
const unprintable = /[^\P{C}\t]/gu;

/** The longest line, in characters: texts in it come from a network, too. */
const maxLine = 4000;

const line = (level: string, text: string): string => {
  const one = text
    .slice(0, maxLine)
    .replaceAll(/\s*[\n\u2028\u2029]\s*/g, ' | ')
    .replaceAll(unprintable, '');
  return `${new Date().toISOString()} ${level} ${one}\n`;
};

/**
 * Plain lines of time, level and text: warnings and errors on standard error, the rest on standard output. Lines that
 * cannot be written, to a full disk or to a reader that has ended, are lost: no daemon ends for its log.
 */
export const consoleLog = (debug: boolean): Log => {
  for (const stream of [process.stdout, process.stderr])
    if (stream.listenerCount('error') === 0) stream.on('error', () => undefined);
  return {
    debug: (text) => {
      if (debug) process.stdout.write(line('DEBUG', text));
    },
    info: (text) => process.stdout.write(line('INFO', text)),
    warn: (text) => process.stderr.write(line('WARN', text)),
    error: (text) => process.stderr.write(line('ERROR', text)),
  };
};
