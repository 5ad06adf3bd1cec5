import { labFault } from '../../../system/errors.ts';
import { nearest } from '../../../system/nearest.ts';
import type { Match, Place, Reservation, Resource } from './messages.ts';

/** Which place is wanted: the one with a name, or any that has all these tags. */
export type Wanted = { readonly place: string } | { readonly tags: Readonly<Record<string, string>> };

/** `board=raspi4 site=lab1`, as labgrid's own client writes tags. */
export const tagWords = (tags: Readonly<Record<string, string>>): string =>
  Object.entries(tags)
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');

/** `place pi4-1`, or `a place with board=raspi4`. */
export const wantedWords = (wanted: Wanted): string =>
  'place' in wanted ? `place ${wanted.place}` : `a place with ${tagWords(wanted.tags)}`;

/** Stands between a user's name and the run's, in the name by which a coordinator knows a run of the lab. */
const mark = '+oakestra-lab-';

const oneWord = (text: string): string => text.replace(/[\s/]+/g, '-') || 'unknown';

/** The name by which a coordinator knows a run: `HOST/USER`, as labgrid's own clients have it, and which run it is. */
export const ownerName = (host: string, user: string, run: string): string =>
  `${oneWord(host)}/${oneWord(user)}${mark}${run}`;

/** Whose a name is, in words. */
export const ownerWords = (name: string): string => {
  const [, host, user, run] = /^([^/]*)\/(.*?)(?:\+oakestra-lab-([^/+]+))?$/.exec(name) ?? [];
  if (host === undefined || user === undefined) return name;
  return `${user} on ${host}${run === undefined ? '' : ` (run ${run} of the lab)`}`;
};

/**
 * What a reservation for the wanted place has to ask for, and which places fulfil it. Throws a lab fault where the
 * coordinator has none.
 */
export const choose = (
  wanted: Wanted,
  places: readonly Place[],
): { readonly filter: Readonly<Record<string, string>>; readonly candidates: readonly Place[] } => {
  if ('place' in wanted) {
    const named = wanted.place;
    const found = places.find(({ name }) => name === named) ?? places.find(({ aliases }) => aliases.includes(named));
    if (found) return { filter: { name: found.name }, candidates: [found] };
    const known = places.map(({ name }) => name);
    throw labFault(`the labgrid coordinator has no place '${named}'${nearest(named, known)}`, [
      `labgrid-client -p ${named} create`,
    ]);
  }
  const tags = Object.entries(wanted.tags);
  const candidates = places.filter((place) => tags.every(([key, value]) => place.tags[key] === value));
  if (candidates.length > 0) return { filter: wanted.tags, candidates };
  const there = places.map(({ name, tags: own }) => `${name} (${tagWords(own) || 'no tags'})`);
  throw labFault(
    `the labgrid coordinator has no place with ${tagWords(wanted.tags)}: there are ${there.join(', ') || 'none'}`,
    [`labgrid-client -p PLACE set-tags ${tagWords(wanted.tags)}`],
  );
};

/** Who has a place, as `HOST/USER`; undefined while it is free. */
export const holderOf = (place: Place, reservations: readonly Reservation[]): string | undefined => {
  if (place.acquired) return place.acquired;
  return reservations.find(({ token }) => token !== '' && token === place.reservation)?.owner;
};

/** What keeps a run from the places that it could have. */
export const busyFault = (
  wanted: Wanted,
  candidates: readonly Place[],
  reservations: readonly Reservation[],
  waited = '',
) => {
  const held = candidates.map((place) => ({ place, holder: holderOf(place, reservations) }));
  const words = held.map(({ place, holder }) =>
    holder === undefined
      ? `${place.name} is kept for another reservation`
      : `${place.name} is ${place.acquired ? 'acquired' : 'reserved'} by ${ownerWords(holder)}`,
  );
  const ours = held.find(({ place, holder }) => place.acquired && holder?.includes(mark));
  return labFault(`${wantedWords(wanted)} is in use${waited}: ${words.join(', ')}`, [
    'wait for it: "labgrid": { …, "wait": SECONDS } in the machine file',
    ...(ours ? [`if that run has ended: labgrid-client -p ${ours.place.name} release-from ${ours.holder}`] : []),
  ]);
};

/** True for what a pattern of Python's fnmatch means; one with a set in brackets is left to the coordinator. */
const isMeant = (glob: string, value: string): boolean => {
  if (glob.includes('[')) return true;
  const parts = glob.split(/([*?])/).map((part) => (part === '*' ? '.*' : part === '?' ? '.' : RegExp.escape(part)));
  return new RegExp(`^${parts.join('')}$`, 's').test(value);
};

/** True when a place's pattern means a resource (labgrid/remote/common.py, ResourceMatch). */
export const isMatch = ({ exporter, group, cls, name }: Match, { path, cls: found }: Resource): boolean => {
  const parts: readonly (readonly [string, string])[] = [
    [exporter, path.exporterName],
    [group, path.groupName],
    [cls, found],
    ...(name ? [[name, path.resourceName] as const] : []),
  ];
  return parts.every(([glob, value]) => isMeant(glob, value));
};

/** Throws a lab fault for a resource of a place that no exporter has, as labgrid's own client does. */
export const requireMatched = (place: Place, resources: readonly Resource[]): void => {
  const missing = place.matches.find((match) => !resources.some((resource) => isMatch(match, resource)));
  if (missing === undefined) return;
  const { exporter, group, cls, name } = missing;
  const pattern = [exporter, group, cls, ...(name ? [name] : [])].join('/');
  const isThere = resources.some(({ path }) => isMeant(exporter, path.exporterName));
  const why = isThere ? 'no exporter that is connected exports one' : `exporter ${exporter} is not connected`;
  throw labFault(`place ${place.name} needs a resource ${pattern}: ${why}`, [
    isThere
      ? 'look at the configuration of the exporter, and whether what it exports is plugged in'
      : `start it on ${exporter}: labgrid-exporter CONFIG.yaml`,
    `where the place should do without: labgrid-client -p ${place.name} del-match '${pattern}'`,
  ]);
};
