import type { Plan } from '../../../../../worker/net-manager/plan/plan.ts';

/** What a plan leaves in a kernel: links, routes by their targets, and elements of sets. */
export type Kernel = { links: Set<string>; routes: Map<string, string>; elements: Map<string, string | undefined> };

/** What a kernel holds after a plan, and how many transactions of nft it took. Throws where a kernel would refuse. */
export const carryOut = (kernel: Kernel, plan: Plan): number => {
  let transactions = 0;
  for (const each of plan) {
    if (each.tool === 'nft') {
      transactions += 1;
      for (const command of each.do) {
        const [, verb, set = '', text = ''] = /^(add|delete) element \S+ \S+ (\S+) \{ (.*) \}$/.exec(command) ?? [];
        if (verb === undefined || set.startsWith('refused')) continue;
        const [key = '', value] = text.split(' : ');
        const at = `${set} ${key}`;
        if (verb === 'delete' && !kernel.elements.delete(at)) throw new Error(`${command}: no such element`);
        if (verb === 'add' && kernel.elements.has(at)) throw new Error(`${command}: there already`);
        if (verb === 'add') kernel.elements.set(at, value);
      }
    }
    if (each.tool !== 'ip') continue;
    for (const { do: line } of each.changes) {
      const [object, verb, ...rest] = line.split(' ');
      const after = (word: string) => rest[rest.indexOf(word) + 1] ?? '';
      if (object === 'route' && verb === 'replace') {
        if (!kernel.links.has(after('dev')) && after('dev').startsWith('oaknode'))
          throw new Error(`${line}: no such link`);
        kernel.routes.set(rest[0] ?? '', after('dev'));
      } else if (object === 'route') kernel.routes.delete(rest[0] ?? '');
      else if (object === 'link' && verb === 'add' && kernel.links.has(after('name')))
        throw new Error(`${line}: exists`);
      else if (object === 'link' && verb === 'add') kernel.links.add(after('name'));
      else if (object === 'link' && verb === 'del') {
        if (!kernel.links.delete(rest[0] ?? '')) throw new Error(`${line}: no such link`);
        for (const [target, link] of kernel.routes) if (link === rest[0]) kernel.routes.delete(target);
      }
    }
  }
  return transactions;
};

export const empty = (): Kernel => ({ links: new Set(), routes: new Map(), elements: new Map() });
export const sorted = ({ links, routes, elements }: Kernel) => ({
  links: [...links].toSorted(),
  routes: [...routes].toSorted(),
  elements: [...elements].toSorted(),
});
