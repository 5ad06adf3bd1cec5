import t from 'tap';
import type { ExposedPort, Machine } from '../../../../lab/machine/machine.ts';
import { openExposure } from '../../../../lab/standing/joined/exposure.ts';
import { labFault } from '../../../../lab/system/errors.ts';

const overlay = { port: 50_103, protocol: 'udp' } as const;
const tcp = (port: number) => ({ port, protocol: 'tcp' }) as const;

/** A machine that keeps which of its ports are open, and refuses those that somebody has. */
const machineWith = (taken: Set<number>) => {
  const open = new Set<string>();
  const expose = async ({ address, port, protocol }: ExposedPort) => {
    if (taken.has(port)) throw labFault(`port ${port}/${protocol} of this computer is in use`);
    const name = `${address} ${port}/${protocol}`;
    open.add(name);
    return { [Symbol.asyncDispose]: async () => void open.delete(name) };
  };
  return { open, machine: { name: 'virt', expose } as unknown as Machine };
};

t.test(
  'exactly the mapped ports are open, and what stands in the way of one is no trouble of the others',
  async (t) => {
    const taken = new Set([80]);
    const { open, machine } = machineWith(taken);
    const exposure = await openExposure(machine, '127.0.0.1');
    await exposure.open(overlay);
    await exposure.become([tcp(8080), tcp(80)], [overlay]);
    t.strictSame([...open].toSorted(), ['127.0.0.1 50103/udp', '127.0.0.1 8080/tcp']);
    t.strictSame(
      exposure.ports.find(({ port }) => port === '80/tcp'),
      {
        port: '80/tcp',
        problem: 'port 80/tcp of this computer is in use',
      },
    );
    taken.clear();
    await exposure.become([tcp(80), tcp(9000)], [overlay]);
    t.strictSame([...open].toSorted(), ['127.0.0.1 50103/udp', '127.0.0.1 80/tcp', '127.0.0.1 9000/tcp']);
    t.notOk(exposure.ports.some(({ problem }) => problem !== undefined));
    await exposure[Symbol.asyncDispose]();
    t.strictSame([...open], []);
  },
);

t.test('for an address of another computer, which passes on what it gets, it listens everywhere', async (t) => {
  const { open, machine } = machineWith(new Set());
  const exposure = await openExposure(machine, '203.0.113.7');
  await exposure.open(overlay);
  t.strictSame([...open], ['0.0.0.0 50103/udp']);
  t.equal(exposure.here, '127.0.0.1');
});
