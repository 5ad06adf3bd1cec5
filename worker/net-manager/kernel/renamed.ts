import { run } from '../../system/run.ts';
import { type Instance, linksOf, namespaceOf } from '../plan/instance.ts';
import { linkNames } from './kernel.ts';

/** One end of a link by the kernel's numbers, which no renaming changes: its own, and that of the other end. */
type End = { readonly name: string; readonly index: unknown; readonly peer: unknown };

const ends = async (where: readonly string[], which: readonly string[]): Promise<readonly End[]> => {
  const listed: unknown = JSON.parse((await run(['ip', ...where, '-j', 'link', 'show', ...which])).trim() || '[]');
  const links = Array.isArray(listed) ? listed : [];
  return links.flatMap(({ ifname, ifindex, link_index }: Readonly<Record<string, unknown>>) =>
    typeof ifname === 'string' && link_index !== undefined ? [{ name: ifname, index: ifindex, peer: link_index }] : [],
  );
};

/**
 * Gives the board's ends of instances' links their names back. Resolves to what was renamed, in words. The link is down
 * then, as most kernels rename no other, and has lost what goes with that.
 */
export const renameBack = async (instances: readonly Instance[]): Promise<readonly string[]> => {
  const names = new Set(await linkNames());
  const lacking = instances.filter((instance) => !names.has(linksOf(instance).host));
  if (lacking.length === 0) return [];
  const here = await ends([], ['type', 'veth']);
  const renamed: string[] = [];
  for (const instance of lacking) {
    const { host, inner } = linksOf(instance);
    // A link that was deleted has no other end either.
    const [end] = await ends(['-n', namespaceOf(instance)], ['dev', inner]).catch(() => []);
    const found = end && here.find(({ index, peer }) => index === end.peer && peer === end.index);
    if (!found) continue;
    await run(['ip', 'link', 'set', 'dev', found.name, 'down']);
    await run(['ip', 'link', 'set', 'dev', found.name, 'name', host]);
    renamed.push(`the name of link ${host}, which was ${found.name}`);
  }
  return renamed;
};
