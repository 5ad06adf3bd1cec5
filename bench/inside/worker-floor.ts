// The commands of one deployment by hand, as few and as bare as they can be: what is left to compare a worker with.
// node bench/inside/worker-floor.ts COUNT, in the namespace to be measured; writes {up, down} in ms as JSON: of one after the
// other, or with a second argument of as many at once.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const bridge = 'floor0';

const command = async (argv: readonly [string, ...string[]], input: readonly string[]): Promise<void> => {
  const [file, ...args] = argv;
  const child = spawn(file, args, { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(input.map((line) => `${line}\n`).join(''));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${argv.join(' ')} ended with ${code}`);
};

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await work();
  return performance.now() - began;
};

const up = async (number: number): Promise<void> => {
  const name = `floor${number}`;
  await command(
    ['ip', '-batch', '-'],
    [
      `netns add ${name}`,
      `link add name floorA${number} mtu 1450 type veth peer name floorB mtu 1450 netns ${name}`,
      `link set floorA${number} master ${bridge}`,
      `link set floorA${number} up`,
    ],
  );
  await command(['nsenter', `--net=/run/netns/${name}`, 'tee', '/proc/sys/net/ipv6/conf/floorB/accept_dad'], ['0']);
  await command(
    ['ip', '-n', name, '-batch', '-'],
    [
      'link set lo up',
      `addr add 10.99.0.${number + 2}/26 dev floorB`,
      `addr add fd99::${number + 2}/120 dev floorB`,
      'link set floorB up',
      'route add default via 10.99.0.1',
      'route add default via fd99::1',
    ],
  );
  await command(
    ['nft', '-f', '-'],
    [`add element inet floor ports { tcp . ${10_000 + number} : 10.99.0.${number + 2} . 80 }`],
  );
};

const down = async (number: number): Promise<void> => {
  await command(['nft', '-f', '-'], [`delete element inet floor ports { tcp . ${10_000 + number} }`]);
  await command(['ip', '-batch', '-'], [`link del floorA${number}`, `netns del floor${number}`]);
};

await command(
  ['ip', '-batch', '-'],
  [
    `link add name ${bridge} type bridge`,
    `addr add 10.99.0.1/26 dev ${bridge}`,
    `addr add fd99::1/120 dev ${bridge} nodad`,
    `link set ${bridge} up`,
  ],
);
await command(
  ['nft', '-f', '-'],
  ['table inet floor { map ports { type inet_proto . inet_service : ipv4_addr . inet_service; }; }'],
);
const [count, together = '1'] = process.argv.slice(2);
const numbers = Array.from({ length: Number(together) }, (_, index) => index);
const times: { readonly up: number[]; readonly down: number[] } = { up: [], down: [] };
for (let round = 0; round < Number(count); round++) {
  times.up.push(await timed(() => Promise.all(numbers.map(up))));
  times.down.push(await timed(() => Promise.all(numbers.map(down))));
}
await command(['nft', '-f', '-'], ['delete table inet floor']);
await command(['ip', '-batch', '-'], [`link del ${bridge}`]);
process.stdout.write(JSON.stringify(times));
