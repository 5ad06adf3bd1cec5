import { isIPv6 } from 'node:net';

/** Where components may come from, beside any server that is not this node itself. */
export type Sources = {
  /** Folders whose files a `file:` reference may name; none by default. */
  readonly folders: readonly string[];
  /** Hosts (`name` or `name:port`) that are fetched from although they are this node or its link. */
  readonly localHosts: readonly string[];
  /** Registries (`host` or `host:port`) that are spoken to without TLS. */
  readonly httpRegistries: readonly string[];
  /** A Docker `config.json` with the accounts for registries. */
  readonly registryAuth: string | undefined;
};

/** What holds when conf.json says nothing. */
export const defaultSources: Sources = { folders: [], localHosts: [], httpRegistries: [], registryAuth: undefined };

const parsed = (entry: string): URL | undefined => {
  const text = `http://${isIPv6(entry) ? `[${entry}]` : entry.trim()}`;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.pathname === '/' && url.username === '' ? url : undefined;
};

/** True when one of `entries` is the host of `url`: by its name and any port, or by both where the entry has a port. */
export const namesHost = (entries: readonly string[], url: URL): boolean => {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return entries.some((entry) => {
    const named = parsed(entry);
    if (named === undefined || named.hostname !== url.hostname) return false;
    // A URL drops the port that is its scheme's own.
    const wanted = isIPv6(entry) ? undefined : /:(\d+)$/.exec(entry.trim())?.[1];
    return wanted === undefined || Number(wanted) === Number(port);
  });
};
