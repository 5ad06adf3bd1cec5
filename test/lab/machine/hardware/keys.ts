import fs from 'node:fs/promises';
import { execa } from 'execa';

/** A key pair as ssh has it, the secret half in `file`. */
export const makeKey = async (
  file: string,
): Promise<{ readonly file: string; readonly secret: string; readonly known: string }> => {
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
  const [secret, known] = await Promise.all([fs.readFile(file, 'utf8'), fs.readFile(`${file}.pub`, 'utf8')]);
  return { file, secret, known };
};
