import fs from 'node:fs';
import path from 'node:path';
import Type, { type Static } from 'typebox';
import { InvalidData, parse } from '../../../worker/contract/check.ts';
import { messageOf, usageFault } from '../../system/errors.ts';
import { configHome } from '../../system/files/user-folders.ts';
import { refuseUnknown } from '../../system/nearest.ts';
import type { NetworkSerial } from './serial/line.ts';

const Labgrid = Type.Union(
  [
    Type.String({ minLength: 1, description: 'The name or alias of a place.' }),
    Type.Object(
      {
        place: Type.Optional(Type.String({ minLength: 1, description: 'The name or alias of a place.' })),
        tags: Type.Optional(
          Type.Record(Type.String(), Type.String({ minLength: 1 }), {
            minProperties: 1,
            description: 'Any place that has all these tags, instead of one by its name.',
          }),
        ),
        coordinator: Type.Optional(
          Type.String({
            pattern: '^(\\[[^\\s\\]]+\\]|[^\\s:/-][^\\s:/]*)(:\\d+)?$',
            description: 'The coordinator as HOST or HOST:PORT; LG_COORDINATOR, or 127.0.0.1:20408, when left out.',
          }),
        ),
        wait: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 86_400,
            description: 'How many seconds to wait for a place that somebody else has; none when left out.',
          }),
        ),
      },
      { additionalProperties: false },
    ),
  ],
  {
    description:
      'The place of a labgrid coordinator that the board belongs to. Address, serial console and power come from it as far as they are not in this file.',
  },
);

/** A machine file: how a board on the bench is reached. It holds no secret: keys stay where ssh has them. */
export const MachineFile = Type.Object(
  {
    $schema: Type.Optional(Type.String({ description: 'Where an editor finds what a machine file may hold.' })),
    ssh: Type.Optional(
      Type.String({
        pattern: '^[^\\s@-][^\\s@]*(@[^\\s@-][^\\s@]*)?$',
        description:
          'user@host, user@host:port, user@[IPv6 address]:port, or a name of your ssh configuration. The user is root on the board, or becomes it by sudo without a password.',
      }),
    ),
    labgrid: Type.Optional(Labgrid),
    port: Type.Optional(Type.Integer({ minimum: 1, maximum: 65_535, description: "The port of the board's sshd." })),
    identity: Type.Optional(
      Type.String({ minLength: 1, description: "The private key's file, where ssh would not find it by itself." }),
    ),
    architecture: Type.Optional(
      Type.Enum(['aarch64', 'x86_64'], {
        description: "What the board's processor has to be; aarch64 when left out.",
      }),
    ),
    serial: Type.Optional(
      Type.String({
        minLength: 1,
        description: "The device of this computer that the board's serial console (115200 baud, 8N1) is wired to.",
      }),
    ),
    powerCycle: Type.Optional(
      Type.Array(Type.String(), {
        minItems: 1,
        description:
          "A program of this computer, with its arguments, that takes the board's power away and gives it back.",
      }),
    ),
  },
  {
    additionalProperties: false,
    title: 'A machine file of the lab',
    anyOf: [{ required: ['ssh'] }, { required: ['labgrid'] }],
  },
);
export type MachineDefinition = Omit<Static<typeof MachineFile>, '$schema'>;

/** What takes a board's power away and gives it back, where that is not a program of the user's. */
export type PowerPort = { readonly name: string; readonly cycle: (signal: AbortSignal) => Promise<void> };

/** How a board is reached: as the machine file says, or the place that was acquired. */
export type HardwareDefinition = Pick<MachineDefinition, 'port' | 'identity' | 'architecture'> & {
  readonly ssh: string;
  readonly serial?: string | NetworkSerial;
  readonly powerCycle?: readonly string[] | PowerPort;
  /** The place whose board it is: behind one machine file there may be several boards. */
  readonly place?: string;
};

/** How ssh is told where a board is: words that name a port, and the host as ssh itself takes it, without brackets. */
export const destinationOf = ({
  ssh,
  port,
}: Pick<HardwareDefinition, 'ssh' | 'port'>): { readonly port: readonly string[]; readonly target: string } => {
  const { user, bracketed, host, written } =
    /^(?<user>[^@]+@)?(?:\[(?<bracketed>[^\]]+)\]|(?<host>[^:[\]]+))(?::(?<written>\d+))?$/.exec(ssh)?.groups ?? {};
  const named = bracketed ?? host;
  // an IPv6 address without brackets has no port, and is what ssh takes
  if (named === undefined) return { port: port === undefined ? [] : ['-p', `${port}`], target: ssh };
  const wanted = port ?? written;
  return { port: wanted === undefined ? [] : ['-p', `${wanted}`], target: `${user ?? ''}${named}` };
};

/** The published copy of the schema of machine files. */
const machineSchema = new URL('../../../docs/schemas/machine.json', import.meta.url);

const namePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;

const folder = (): string => path.join(configHome(), 'oakestra-wasm-lab', 'machines');

/** The file that describes a machine. */
export const machineFile = (name: string): string => path.join(folder(), `${name}.json`);

/** The file that a machine's ssh host key is pinned in. */
export const hostKeyFile = (name: string): string => path.join(folder(), `${name}.known_hosts`);

/** Throws a usage fault for what a schema does not say. */
const requireConsistent = ({ ssh, port, labgrid }: MachineDefinition, what: string): void => {
  const [, written] = ssh === undefined ? [] : destinationOf({ ssh }).port;
  if (written !== undefined && port !== undefined && Number(written) !== port)
    throw usageFault(`${what}: ssh says port ${written}, port says ${port}: leave out one`);
  if (ssh === undefined && port !== undefined)
    throw usageFault(`${what}: the port belongs to ssh, which is missing: a place says its own port`);
  if (typeof labgrid === 'object' && (labgrid.place === undefined) === (labgrid.tags === undefined))
    throw usageFault(`${what}: labgrid needs either "place" or "tags"`);
};

/** A machine file's document, checked. Throws a usage fault that names the nearest key for one that does not exist. */
export const parseDefinition = (document: unknown, what: string): MachineDefinition => {
  refuseUnknown(document, Object.keys(MachineFile.properties), what);
  const { ssh, labgrid } = Object(document) as Readonly<Record<string, unknown>>;
  if (ssh === undefined && labgrid === undefined)
    throw usageFault(`${what}: it has neither "ssh" nor "labgrid", by which the board would be reached`);
  refuseUnknown(
    typeof labgrid === 'object' ? labgrid : {},
    Object.keys(Labgrid.anyOf[1].properties),
    `${what}, labgrid`,
  );
  try {
    const { $schema: _, ...definition } = parse(MachineFile, document, what);
    requireConsistent(definition, what);
    return definition;
  } catch (error) {
    if (error instanceof InvalidData) throw usageFault(messageOf(error));
    throw error;
  }
};

/** The machine of the user's own with a name; undefined when there is none. Throws a usage fault for a bad file. */
export const readMachine = (name: string): MachineDefinition | undefined => {
  const file = machineFile(name);
  if (!namePattern.test(name) || !fs.existsSync(file)) return undefined;
  let document: unknown;
  try {
    document = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw usageFault(`${file}: ${messageOf(error)}`);
  }
  return parseDefinition(document, file);
};

/** Names of the machines that the user has added. */
export const ownMachines = (): readonly string[] =>
  (fs.existsSync(folder()) ? fs.readdirSync(folder()) : [])
    .filter((file) => file.endsWith('.json'))
    .map((file) => path.basename(file, '.json'))
    .toSorted();

/** Writes a new machine's file and returns its path. Throws a usage fault for a name that cannot be one. */
export const saveMachine = (name: string, definition: MachineDefinition): string => {
  if (!namePattern.test(name)) throw usageFault(`'${name}' is no name for a machine: use a-z, 0-9 and -`);
  const file = machineFile(name);
  fs.mkdirSync(folder(), { recursive: true });
  const written = { $schema: machineSchema.href, ...parseDefinition(definition, name) };
  fs.writeFileSync(`${file}.partial`, `${JSON.stringify(written, undefined, 2)}\n`);
  fs.renameSync(`${file}.partial`, file);
  return file;
};

/** Removes a machine's file and forgets its host key. */
export const removeMachine = (name: string): void => {
  for (const file of [machineFile(name), hostKeyFile(name)]) fs.rmSync(file, { force: true });
};
