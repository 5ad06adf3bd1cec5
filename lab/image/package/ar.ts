/** One file of an `ar` archive. */
export type Member = { readonly name: string; readonly content: Buffer };

const header = ({ name, content }: Member): string =>
  `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(content.length).padEnd(10)}\`\n`;

/** Files as an `ar` archive (deb(5)), of root's and without a time. Names have at most 15 characters. */
export const arArchive = (members: readonly Member[]): Buffer =>
  Buffer.concat([
    Buffer.from('!<arch>\n'),
    ...members.flatMap((member) => [
      Buffer.from(header(member)),
      member.content,
      Buffer.alloc(member.content.length % 2, '\n'),
    ]),
  ]);
