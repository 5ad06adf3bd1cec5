import t from 'tap';
import { architecturesOf, type SetName } from '../../../lab/system/packages/fetch.ts';
import { lockedSet } from '../../../lab/system/packages/lock.ts';
import wanted from '../../../lab/system/packages/packages.json' with { type: 'json' };

const names = Object.keys(wanted.sets) as SetName[];
const lockedNames = (set: string): readonly string[] => lockedSet(set).map(({ name }) => name);

t.test('every set is locked for each architecture that it is for', async (t) => {
  for (const set of names)
    for (const architecture of architecturesOf(set)) {
      const locked = lockedNames(`${set}/${architecture}`);
      t.strictSame([...new Set(locked)].toSorted(), locked, `${set}/${architecture}: each once, in order`);
      // a name that stands for the newest of several is resolved to that
      const direct = wanted.sets[set].packages.filter((name) => !name.startsWith('linux-image-'));
      t.strictSame(new Set(direct).difference(new Set(locked)), new Set(), `${set}/${architecture}`);
    }
});

t.test('boards of either architecture have the same packages', async (t) => {
  const [arm, x86] = architecturesOf('userland').map((architecture) => lockedNames(`userland/${architecture}`));
  t.strictSame(x86, arm);
  t.match(lockedNames('kernel-virt/arm64'), [/^linux-image-.*-cloud-arm64$/]);
  t.match(lockedNames('kernel-virt-x86_64/amd64'), [/^linux-image-.*-cloud-amd64$/]);
  t.ok(lockedNames('qemu-x86/amd64').includes('seabios'), 'firmware of an x86-64 machine');
});
