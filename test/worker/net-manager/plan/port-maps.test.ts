import fc from 'fast-check';
import t from 'tap';
import type { Instance } from '../../../../worker/net-manager/plan/instance.ts';
import {
  remapCommands,
  type Target,
  targetsOf,
  withoutTargets,
  withTargets,
} from '../../../../worker/net-manager/plan/port-maps.ts';
import { inputs } from '../../../support/inputs.ts';
import { settingsWith } from '../settings.ts';

const settings = settingsWith();

/** The maps as the kernel would have them, by map and key; it refuses what nft refuses. */
const obey = (maps: Map<string, string>, commands: readonly string[]): void => {
  for (const command of commands) {
    const found = /^(?<verb>add|delete) element t (?<map>\w+) \{ (?<elements>.*) \}$/.exec(command)?.groups;
    for (const element of found?.['elements']?.split(', ') ?? []) {
      const [key, value] = element.split(' : ');
      const name = `${found?.['map']} ${key}`;
      if (found?.['verb'] === 'add') {
        if (maps.has(name)) throw new Error(`${name} is there already`);
        maps.set(name, value ?? '');
      } else if (maps.get(name) !== value) throw new Error(`${name} is ${maps.get(name)} and not ${value}`);
      else maps.delete(name);
    }
  }
};

/** Which instances a host port leads to, each with its share of the connections. */
const shares = (maps: ReadonlyMap<string, string>, family: 4 | 6, key: string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>();
  for (const [name, value] of maps)
    if (name === `ports${family} ${key}` || name.startsWith(`shared${family} ${key} . `))
      counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
};

/** Replicas of three services, each with ports of its own. */
const replica = (slot: number): Instance => ({
  service: `app.ns.svc${slot % 3}.ns`,
  instance: slot,
  pid: 0,
  slot,
  ports: [
    { host: 80 + (slot % 3), inner: 8080 + slot, protocol: 'tcp' },
    { host: 80 + (slot % 3), inner: 53, protocol: 'udp' },
  ],
});

t.test('replicas that come and go in any order leave every port with exactly the living ones', async () => {
  const toggles = fc.array(fc.integer({ min: 2, max: 62 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(toggles, (slots) => {
      const maps = new Map<string, string>();
      const standing = new Set<number>();
      let mapped: readonly Target[] = [];
      for (const slot of slots) {
        const own = targetsOf(settings, replica(slot));
        const after = standing.delete(slot) ? withoutTargets(mapped, own) : withTargets(mapped, own);
        if (after.length > mapped.length) standing.add(slot);
        obey(maps, remapCommands('t', mapped, after));
        mapped = after;
      }
      for (const service of [0, 1, 2]) {
        const living = [...standing].filter((slot) => slot % 3 === service).toSorted((a, b) => a - b);
        for (const [protocol, inner] of [
          ['tcp', (slot: number) => 8080 + slot],
          ['udp', () => 53],
        ] as const) {
          const v4 = shares(maps, 4, `${protocol} . ${80 + service}`);
          const v6 = shares(maps, 6, `${protocol} . ${80 + service}`);
          const expected = living.map((slot) => `10.10.0.${slot} . ${inner(slot)}`);
          if ([...v4.keys()].toSorted().join() !== expected.toSorted().join()) return false;
          if (v6.size !== living.length) return false;
          if (Math.max(0, ...v4.values()) - Math.min(...v4.values()) > 1) return false;
        }
      }
      const all = withoutTargets(mapped, mapped);
      obey(maps, remapCommands('t', mapped, all));
      return maps.size === 0;
    }),
    inputs(20_261_129, 150),
  );
});

t.test('a change touches no other port, and what is mapped already changes nothing', async (t) => {
  const [first, second] = [2, 3].map((slot) => targetsOf(settings, replica(slot)));
  const commands = remapCommands('t', first ?? [], withTargets(first ?? [], second ?? []));
  t.notOk(commands.some((command) => command.includes('. 82 ')));
  t.same(remapCommands('t', first ?? [], withTargets(first ?? [], first ?? [])), []);
});
