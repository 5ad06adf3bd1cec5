import { readFile } from 'node:fs/promises';
import { InvalidData } from '../contract/check.ts';
import { EngineConfig } from '../contract/config.ts';
import { type ClusterAddress, readHost } from '../contract/host.ts';
import { readJson, type Warn } from '../contract/read.ts';
import type { Sources } from './artifacts/sources.ts';
import type { NetTarget } from './instances/network/net-client.ts';
import { servingOf } from './runtime/serving.ts';

/** What conf.json means for this engine. */
export type Settings = {
  /** The cluster to join; undefined when the file names none. */
  readonly cluster: ClusterAddress | undefined;
  /** Undefined when networking is switched off. */
  readonly network: NetTarget | undefined;
  readonly logs: string;
  /** Names under which jobs ask for WebAssembly ("wasm" as a rule); none when the file switches it off. */
  readonly runtimes: readonly string[];
  /** Set when this node compiles components ahead of time. */
  readonly compile: boolean;
  /** Where components may come from. */
  readonly sources: Sources;
  /** How HTTP services run on this node, and what of that could not be read. */
  readonly serving: ReturnType<typeof servingOf>;
  readonly certificate: { readonly cert: string; readonly key: string } | undefined;
};

const networkOf = (config: EngineConfig, socket: string | undefined): NetTarget | undefined => {
  if (socket !== undefined) return { socketPath: socket };
  const overlay = config.overlay_network ?? 'default';
  if (overlay === '' || overlay === 'disabled') return undefined;
  if (overlay.startsWith('custom:')) return { socketPath: overlay.slice('custom:'.length) };
  const port = config.overlay_network_port ?? 0;
  return port > 0 ? { host: '127.0.0.1', port } : { socketPath: '/etc/netmanager/netmanager.sock' };
};

const sourcesOf = (config: EngineConfig): Sources => ({
  folders: (config.component_folders ?? []).filter((folder) => folder.startsWith('/')),
  localHosts: config.allowed_local_hosts ?? [],
  httpRegistries: config.insecure_registries ?? [],
  registryAuth: config.registry_auth_file || undefined,
});

type Runtime = { readonly name: string; readonly flags: readonly unknown[] };

/** The runtimes for WebAssembly that are active. A file that says nothing of WebAssembly has one by its usual name. */
const runtimesOf = (config: EngineConfig): readonly Runtime[] => {
  const named = (config.virtualizations ?? []).filter(
    (entry) => (entry.virtualization_runtime ?? entry.virutalizaiton_runtime) === 'wasm',
  );
  if (named.length === 0) return [{ name: 'wasm', flags: [] }];
  return named
    .filter((entry) => entry.virtualization_active ?? entry.virutalizaiton_active ?? true)
    .map((entry) => ({
      name: entry.virtualization_name ?? entry.virutalizaiton_name ?? 'wasm',
      flags: entry.virtualization_config ?? entry.virutalizaiton_config ?? [],
    }));
};

/**
 * The settings in a checked conf.json; `socket` overrides where NetManager listens. The virtualization's
 * configuration list may hold "precompile=off": run components without compiling them ahead of time; and what
 * {@link servingOf} reads.
 */
export const settingsOf = (config: EngineConfig, socket: string | undefined): Settings => {
  const host = readHost(config.cluster_address, 'cluster_address', 'cluster_port');
  const named = !['', '0.0.0.0', '::'].includes(host);
  const runtimes = runtimesOf(config);
  const { mqtt_cert_file: cert = '', mqtt_key_file: key = '' } = config;
  if ((cert === '') !== (key === ''))
    throw new InvalidData('mqtt_cert_file', ['it and mqtt_key_file belong together: set both or neither']);
  return {
    cluster: named ? { host, port: config.cluster_port, secure: config.cluster_ssl ?? false } : undefined,
    network: networkOf(config, socket),
    logs: config.app_logs ?? '/var/log/oakestra',
    runtimes: runtimes.map((runtime) => runtime.name),
    compile: !runtimes.some((runtime) => runtime.flags.includes('precompile=off')),
    sources: sourcesOf(config),
    serving: servingOf(runtimes.flatMap((runtime) => runtime.flags)),
    certificate: cert === '' || key === '' ? undefined : { cert, key },
  };
};

/** conf.json cannot be read. */
class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** What the text of conf.json means. Throws {@link InvalidData} naming `file` and every fault. */
export const parseSettings = (text: string, file: string, socket: string | undefined, note: Warn): Settings => {
  const config = readJson(EngineConfig, text, file, note);
  try {
    return settingsOf(config, socket);
  } catch (error) {
    throw error instanceof InvalidData ? new InvalidData(file, [error.message]) : error;
  }
};

/** Reads conf.json. Throws {@link SettingsError}, or {@link InvalidData} naming every fault. */
export const readSettings = async (file: string, socket: string | undefined, note: Warn): Promise<Settings> => {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new SettingsError(`${file} cannot be read; name the configuration with --config`, { cause: error });
  });
  return parseSettings(text, file, socket, note);
};
