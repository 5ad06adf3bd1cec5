import t, { type Test } from 'tap';
import { noWasmtime } from '../../worker/node-engine/support/daemon.ts';
import type { ClusterOptions } from './cluster.ts';
import { type FactId, facts } from './facts.ts';
import { subject } from './subject.ts';
import { openWorld, type Variant, type World } from './world.ts';

const usual: Variant = { topology: 'bridged', dialect: '403' };
const dialects: readonly Variant[] = subject.nodeEngine.some((word) => word.includes('{dialect}'))
  ? [usual, { ...usual, dialect: '400' }]
  : [usual];

const variants = {
  once: [usual],
  topologies: [usual, { ...usual, topology: 'veth' }],
  dialects,
} as const;

type Fact = {
  /** In which settings it is tested when everything is. */
  readonly in: keyof typeof variants;
  /** It needs a WebAssembly runtime. */
  readonly runs?: true;
  /** Why it is left out unless everything is tested. */
  readonly slow?: string;
  /** Why it is never tested here. */
  readonly omitted?: string | undefined;
  /** Another broker than the lab's own. */
  readonly broker?: { readonly name: string; readonly make: NonNullable<ClusterOptions['broker']> };
};

/** Tests one fact of the contract, in every setting that matters to it, on a board and with a cluster of its own. */
export const fact = (folder: string, id: FactId, how: Fact, test: (t: Test, world: World) => Promise<void>): void => {
  const all = variants[how.in];
  for (const variant of subject.all ? all : all.slice(0, 1)) {
    const setting =
      how.in === 'topologies' ? variant.topology : how.in === 'dialects' ? variant.dialect : how.broker?.name;
    const suffix = setting === undefined ? '' : ` [${setting}]`;
    const tooSlow = how.slow !== undefined && !subject.all ? `${how.slow}: npm run conformance` : false;
    const skip = how.omitted ?? (tooSlow || (how.runs ? noWasmtime : false));
    t.test(`${id} ${facts[id]}${suffix}`, { skip }, async (t) => {
      await using world = await openWorld(folder, variant, how.broker && { broker: how.broker.make });
      try {
        await test(t, world);
      } finally {
        if (!t.passing()) t.comment(world.log());
      }
    });
  }
};
