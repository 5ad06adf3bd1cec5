import fs from 'node:fs/promises';

export type Architecture = 'aarch64' | 'x86_64';

const machines = new Map<number, Architecture>([
  [183, 'aarch64'],
  [62, 'x86_64'],
]);

/** This computer's architecture. */
export const hostMachine = (): Architecture => (process.arch === 'arm64' ? 'aarch64' : 'x86_64');

/** What machine an ELF program is for (e_machine, elf(5)); undefined when the file is no such program. */
export const elfMachine = async (file: string): Promise<Architecture | undefined> => {
  await using handle = await fs.open(file);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
  if (bytesRead < 20 || buffer.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const machine = machines.get(buffer.readUInt16LE(18));
  return machine;
};
