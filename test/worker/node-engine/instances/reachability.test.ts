import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { firstAddress, networkLost } from '../../../../worker/node-engine/instances/network/reachability.ts';
import { inSandbox } from '../../net-manager/sandbox.ts';

const ip = (...args: readonly string[]) => promisify(execFile)('ip', args);

/** What a kernel with a single table of routes writes (6.18). */
const trie = `Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.10.0.0/24 2 0 2
        +-- 10.10.0.0/30 2 0 2
           |-- 10.10.0.0
              /26 link UNICAST
           |-- 10.10.0.2
              /32 host LOCAL
        |-- 10.10.0.63
           /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.1
           /32 host LOCAL
`;

t.test('the address of a namespace, as the kernel tells it', async (t) => {
  t.equal(firstAddress(trie), '10.10.0.2');
  t.equal(firstAddress(trie.replaceAll('10.10.0.2\n', '127.0.0.2\n')), undefined);
  t.equal(firstAddress(''), undefined);
});

inSandbox(import.meta.url, () => {
  t.test('an address that another instance was given is lost, and one that is back is not', async (t) => {
    await ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
    await ip('addr', 'add', '10.10.0.2/26', 'dev', 'here');
    for (const link of ['here', 'there']) await ip('link', 'set', link, 'up');
    const over = new AbortController();
    const id = { pid: process.pid, start: 0 };
    const seen: boolean[] = [];
    const taken = networkLost(
      id,
      (address) => address === '10.10.0.2',
      (present) => seen.push(present),
      over.signal,
    );
    let looks = 0;
    const twice = () => {
      looks += 1;
      return looks <= 2;
    };
    const back: boolean[] = [];
    const kept = networkLost(id, twice, (present) => back.push(present), over.signal).catch(() => 'kept');
    t.match(await taken, /10\.10\.0\.2 was given to another instance/);
    t.same(seen, [false], 'it is not said to run as soon as it is missing');
    over.abort();
    t.equal(await kept, 'kept');
    t.same(back.slice(0, 1), [false]);
  });
});
