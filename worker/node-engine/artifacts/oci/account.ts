import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import Type from 'typebox';
import { read, readJson } from '../../../contract/read.ts';
import { FetchError } from '../fetch-error.ts';

/** What proves to a registry who asks: a password, or a token that a token server takes in its place. */
export type Account = { readonly user: string; readonly password: string } | { readonly identityToken: string };

const Entry = Type.Object({
  auth: Type.Optional(Type.String()),
  username: Type.Optional(Type.String()),
  password: Type.Optional(Type.String()),
  identitytoken: Type.Optional(Type.String()),
});

/** What counts of a Docker `config.json`. */
const Configuration = Type.Object({
  auths: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  credHelpers: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  credsStore: Type.Optional(Type.String()),
});

const maxBytes = 1 << 20;

/** The text of a file that holds secrets: a regular file of root's or the engine's that nobody else can read. */
const readSecret = async (path: string): Promise<string> => {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  await using file = await open(path, flags).catch((error: unknown) => {
    throw new FetchError(`the accounts for registries in ${path} (registry_auth_file) cannot be read`, {
      cause: error,
    });
  });
  const stat = await file.stat();
  const why = (what: string): never => {
    throw new FetchError(`the accounts for registries in ${path} (registry_auth_file) are not used: ${what}`);
  };
  if (!stat.isFile()) why('it is not a regular file');
  if (stat.uid !== 0 && stat.uid !== process.geteuid?.()) why(`it belongs to user ${stat.uid}; chown it to root`);
  if ((stat.mode & 0o077) !== 0) why('others may read or write it; chmod it to 0600');
  if (stat.size > maxBytes) why('it is too large');
  return await file.readFile('utf8');
};

const dockerHub = ['index.docker.io', 'registry-1.docker.io'];

/** The names under which accounts for a repository may stand, the nearest first; podman has them for parts of a registry. */
const namesFor = (registry: string, repository: string): readonly string[] => {
  const parts = repository.split('/');
  const below = parts.map((_, index) => [registry, ...parts.slice(0, parts.length - index)].join('/'));
  return [...below, registry, ...(registry === 'docker.io' ? dockerHub : [])];
};

/** A key of `auths` without scheme, version and slash: Docker writes `https://index.docker.io/v1/`. */
const bareKey = (key: string): string => key.replace(/^https?:\/\//, '').replace(/(?:\/v[12])?\/*$/, '');

const accountOf = (entry: unknown): Account | undefined => {
  let fields: Type.Static<typeof Entry>;
  try {
    fields = read(Entry, entry, 'an account', () => undefined);
  } catch {
    return undefined;
  }
  const { auth, username, password, identitytoken } = fields;
  if (identitytoken) return { identityToken: identitytoken };
  const text = auth ? Buffer.from(auth, 'base64').toString('utf8') : `${username ?? ''}:${password ?? ''}`;
  const colon = text.indexOf(':');
  return colon < 1 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
};

const configurationIn = (text: string): Type.Static<typeof Configuration> => {
  try {
    return readJson(Configuration, text, 'registry_auth_file', () => undefined);
  } catch {
    throw new FetchError('the file of registry_auth_file is not a config.json of Docker'); // never with what is in it
  }
};

/**
 * The account for a repository in the text of a Docker `config.json`, or undefined. Throws {@link FetchError} when only
 * a credential helper could give it: no program is run for that.
 */
export const findAccount = (text: string, registry: string, repository: string): Account | undefined => {
  const { auths = {}, credHelpers = {}, credsStore = '' } = configurationIn(text);
  const entries = new Map(Object.entries(auths).map(([key, entry]) => [bareKey(key), accountOf(entry)]));
  const names = namesFor(registry, repository);
  const found = names.map((name) => entries.get(name)).find((account) => account !== undefined);
  if (found !== undefined) return found;
  const helped = new Set(Object.keys(credHelpers).map(bareKey));
  const stored = credsStore !== '' && names.some((name) => entries.has(name));
  if (stored || names.some((name) => helped.has(name)))
    throw new FetchError(
      `the account for ${registry} is with a credential helper, which is not supported: put it into auths of registry_auth_file`,
    );
  return undefined;
};

/** The node's account for a repository, read anew each time, so that a new password needs no restart. */
export const accountFor = async (
  file: string | undefined,
  registry: string,
  repository: string,
): Promise<Account | undefined> =>
  file === undefined ? undefined : findAccount(await readSecret(file), registry, repository);
