import { pbkdf2Sync } from 'node:crypto';
import fs from 'node:fs/promises';
import Type, { type Static } from 'typebox';
import { InvalidData, parse, parseJson } from '../../../worker/contract/check.ts';
import { usageFault } from '../../system/errors.ts';
import { refuseUnknown } from '../../system/nearest.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import { fileEntry, folderEntry } from '../entries.ts';

/** What an image has of its owner: the file `lab.settings.json`, which git ignores. */
export const SettingsFile = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'Where an editor finds what this file may hold.' })),
    hostname: Type.Optional(
      Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$', description: "The board's name in its network." }),
    ),
    sshKeys: Type.Optional(
      Type.Array(Type.String({ pattern: '^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\\d+) [A-Za-z0-9+/=]+( [^\\n]*)?$' }), {
        description: 'Public keys that may log in as root; there is no password.',
      }),
    ),
    wifi: Type.Optional(
      Type.Object(
        {
          ssid: Type.String({ minLength: 1, maxLength: 32 }),
          passphrase: Type.String({ minLength: 8, maxLength: 63 }),
          country: Type.String({
            pattern: '^[A-Z]{2}$',
            description: 'Where the board is, as DE: it decides on channels.',
          }),
        },
        { additionalProperties: false, description: 'A wireless network; without one the board uses its Ethernet.' },
      ),
    ),
  },
  { additionalProperties: false, title: 'Settings of a card image of the lab' },
);
export type BoardSettings = Omit<Static<typeof SettingsFile>, '$schema'>;

/** A problem without what stands in the file: that may be a password. */
const withoutValues = (problem: string): string =>
  problem
    .replace(/ \(got .*\)$/s, '')
    .replace(/^not JSON: .*?((?:\(line \d+ column \d+\))?)$/s, 'not JSON $1')
    .trim();

/** The settings in a file; none when there is no such file. Throws a usage fault that says what is wrong with it. */
export const readBoardSettings = async (file: string): Promise<BoardSettings | undefined> => {
  const text = await fs.readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    const document = parseJson(Type.Unknown(), text, file);
    refuseUnknown(document, Object.keys(SettingsFile.properties), file);
    const { $schema: _, ...settings } = parse(SettingsFile, document, file);
    return settings;
  } catch (error) {
    if (error instanceof InvalidData) throw usageFault(`${file}: ${error.problems.map(withoutValues).join('; ')}`);
    throw error;
  }
};

/** wpa_supplicant.conf(5) with the key derived as IEEE 802.11i has it, so that no text has to be quoted. */
const wirelessConfiguration = ({ ssid, passphrase, country }: NonNullable<BoardSettings['wifi']>): string =>
  [
    `country=${country}`,
    'network={',
    `\tssid=${Buffer.from(ssid).toString('hex')}`,
    `\tpsk=${pbkdf2Sync(passphrase, ssid, 4096, 32, 'sha1').toString('hex')}`,
    '}',
    '',
  ].join('\n');

/** Files of a root file system that the settings make. */
export const settingsEntries = ({ hostname, sshKeys = [], wifi }: BoardSettings): readonly TreeEntry[] => [
  ...(hostname === undefined ? [] : [fileEntry('etc/hostname', `${hostname}\n`)]),
  ...(sshKeys.length === 0
    ? []
    : [folderEntry('root/.ssh', 0o700), fileEntry('root/.ssh/authorized_keys', `${sshKeys.join('\n')}\n`, 0o600)]),
  ...(wifi ? [fileEntry('etc/wpa_supplicant.conf', wirelessConfiguration(wifi), 0o600)] : []),
];
