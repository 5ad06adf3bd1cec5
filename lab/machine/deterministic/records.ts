/** Every record that leaves a guest begins with this (RFC 7464), so that it can be told from other text on the line. */
export const recordMark = '\u001e';

/** The records in whole lines that came over a serial line, on which there may be other text too. */
export const recordsIn = (lines: string): readonly string[] =>
  lines.split('\n').flatMap((line) => {
    const at = line.lastIndexOf(recordMark);
    return at < 0 ? [] : [line.slice(at + 1).trimEnd()];
  });
