import fc from 'fast-check';
import t from 'tap';
import { readIptables } from '../../../../worker/net-manager/port-owners/iptables.ts';
import { ownerOf } from '../../../../worker/net-manager/port-owners/owner.ts';
import { key, nftOwner } from './port-owners-board.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const range = fc.tuple(port, port).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

t.test('ranges of a set map the ports in them and no others, in both notations', async () => {
  fc.assert(
    fc.property(
      fc.array(range, { minLength: 1, maxLength: 6 }),
      port,
      fc.constantFrom('tcp', 'udp'),
      (ranges, asked, protocol) => {
        const inside = ranges.some(([first, last]) => asked >= first && asked <= last);
        const own = `${asked}/${protocol}`;
        const nft = ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
        const rule = `${protocol} dport { ${nft} } dnat to 10.0.0.2`;
        const saved = `*nat\n-A PREROUTING -p ${protocol} -m multiport --dports ${ranges.map((pair) => pair.join(':')).join(',')} -j DNAT --to-destination 10.0.0.2\n`;
        const found = [nftOwner(own, [rule]), ownerOf(readIptables('ip', saved), key(own))];
        return found.every((each) => (each !== undefined) === inside);
      },
    ),
  );
});

t.test('whatever stands in rules, a look at them ends without an error', async () => {
  const word = fc.constantFrom(
    ...[
      'tcp',
      'udp',
      'th',
      'dport',
      'ip',
      'daddr',
      'meta',
      'l4proto',
      'fib',
      'type',
      'local',
      '{',
      '}',
      ',',
      ':',
      '.',
      '@s',
      '@x',
    ],
    ...[
      'vmap',
      'map',
      'dnat',
      'to',
      'redirect',
      'jump',
      'goto',
      'pre',
      'c',
      '!=',
      '>',
      '80',
      '1-9',
      '10.0.0.0/8',
      '1.2.3.4/999',
      '"a b"',
      'counter',
    ],
    ...[
      '-p',
      '-d',
      '--dport',
      '-j',
      'DNAT',
      '!',
      '-m',
      '1:2',
      'fd00::/8',
      '*',
      'comment',
      'set',
      'chain',
      'elements',
      '=',
    ],
  );
  const rule = fc.array(word, { maxLength: 14 }).map((words) => words.join(' '));
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 6 }), (rules) => {
      nftOwner('80', rules);
      ownerOf(readIptables('ip', `*nat\n${rules.map((each) => `-A PREROUTING ${each}\n`).join('')}`), key('80'));
    }),
  );
});
