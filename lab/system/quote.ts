/** One word for a POSIX shell: whatever is in it, the shell hands it on as it is. */
export const quote = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** Words for a POSIX shell that hands them on as they are, the first of them as the program. */
export const commandLine = (words: readonly string[]): string => words.map(quote).join(' ');
