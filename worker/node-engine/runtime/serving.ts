/** How HTTP services are run unless a job says otherwise. */
export type Serving = {
  /** The most seconds that one request may take; 0 for no limit. */
  readonly timeout: number;
  /** How many requests one instance of a component answers before a fresh one takes its place. */
  readonly reuse: number;
};

/** What holds on a node that says nothing: a minute for a request, and a fresh instance for each. */
export const defaultServing: Serving = { timeout: 60, reuse: 1 };

const most: Serving = { timeout: 31_536_000, reuse: 1_000_000 };

/** A value of {@link Serving} out of its text, or undefined when it is none. */
const readValue = (name: keyof Serving, text: string): number | undefined => {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value <= most[name] ? value : undefined;
};

const expected = (name: keyof Serving): string => `expected a whole number from 0 to ${most[name]}`;

/**
 * What a virtualization's configuration list says of services: `timeout=60`, `reuse=128`. Entries that mean nothing are
 * left out and told in `problems`.
 */
export const servingOf = (
  flags: readonly unknown[],
): { readonly serving: Serving; readonly problems: readonly string[] } => {
  const problems: string[] = [];
  const found: Partial<Record<keyof Serving, number>> = {};
  for (const flag of flags) {
    const [, name, text = ''] = (typeof flag === 'string' && /^(timeout|reuse)=(.*)$/s.exec(flag)) || [];
    if (name !== 'timeout' && name !== 'reuse') continue;
    const value = readValue(name, text);
    if (value === undefined) problems.push(`'${name}=${text.slice(0, 40)}' is left out: ${expected(name)}`);
    else found[name] = value;
  }
  return { serving: { ...defaultServing, ...found }, problems };
};

/** The job's own values of {@link Serving}: keys of its environment, which the component itself does not get. */
const jobKeys: readonly (readonly [key: string, name: keyof Serving])[] = [
  ['OAKESTRA_TIMEOUT', 'timeout'],
  ['OAKESTRA_REUSE', 'reuse'],
];

/** Parts a job's environment into what this worker obeys and what the component gets; `notes` tell what is neither. */
export const splitServing = (
  environment: ReadonlyMap<string, string>,
  node: Serving,
): { readonly serving: Serving; readonly given: ReadonlyMap<string, string>; readonly notes: readonly string[] } => {
  const notes: string[] = [];
  const given = new Map(environment);
  const own: Partial<Record<keyof Serving, number>> = {};
  for (const [key, name] of jobKeys) {
    const text = given.get(key);
    if (text === undefined) continue;
    given.delete(key);
    const value = readValue(name, text);
    if (value === undefined) notes.push(`${key}=${text.slice(0, 40)} is left out: ${expected(name)}`);
    else own[name] = value;
  }
  return { serving: { ...node, ...own }, given, notes };
};
