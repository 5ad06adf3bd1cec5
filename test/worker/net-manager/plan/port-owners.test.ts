import t from 'tap';
import { readIptables } from '../../../../worker/net-manager/port-owners/iptables.ts';
import { readNft } from '../../../../worker/net-manager/port-owners/nft.ts';
import { ownerOf } from '../../../../worker/net-manager/port-owners/owner.ts';
import { key, nftOwner } from './port-owners-board.ts';

t.test('rules of nftables that map a port of the board', async (t) => {
  const sets = `	map m {
		type inet_service : verdict
		elements = { 8081 : goto c, 8082 : accept,
			     8083 comment "a } in it" : jump c }
	}

	map pairs {
		type inet_proto . inet_service : ipv4_addr . inet_service
		flags interval
		elements = { tcp . 7200-7210 : 10.0.0.2 . 80,
			     udp . 7300 timeout 1h expires 59m : 10.0.0.2 . 80 }
	}

	set s {
		type inet_service
		flags interval
		elements = { 2000-2010, 2020 }
	}

`;
  for (const [rule, mapped, free] of [
    ['tcp dport 8080 dnat to 10.0.0.2:80', ['8080'], ['8080/udp', '80', '8081']],
    ['tcp dport 9000-9010 dnat to 10.0.0.2', ['9000', '9005', '9010'], ['8999', '9011']],
    ['tcp dport { 100-200, 443, 8443 } counter packets 0 bytes 0 redirect to :99', ['150', '443'], ['201', '99']],
    ['tcp dport @s redirect to :9', ['2005', '2020'], ['2011']],
    ['tcp dport @unknown redirect to :9', [], ['2005']],
    ['tcp dport vmap @m', ['8081', '8083'], ['8082', '8084']],
    ['udp dport vmap { 53 : jump c, 54 : drop }', ['53/udp'], ['53', '54/udp']],
    ['tcp dport != 22 redirect to :9', ['80'], ['22', '80/udp']],
    ['tcp dport > 60000 redirect to :9', ['60001'], ['60000']],
    ['dnat to tcp dport map { 7000 : 10.0.0.3 }', ['7000'], ['7001', '7000/udp']],
    ['redirect to :tcp dport map { 88 : 89 }', ['88'], ['89']],
    ['dnat ip to meta l4proto . th dport map @pairs', ['7205', '7300/udp'], ['7205/udp', '7300']],
    ['meta l4proto { tcp, udp } th dport 6000 dnat to 10.0.0.5', ['6000', '6000/udp'], ['6001']],
    ['meta l4proto 6 th dport 6000 dnat to 10.0.0.5', ['6000'], ['6000/udp']],
    ['ip daddr . tcp dport vmap { 192.168.50.1 . 5000 : jump c }', ['5000'], ['5001']],
    ['ip daddr . tcp dport vmap { 10.43.0.1 . 443 : jump c }', [], ['443']],
    ['iifname . tcp dport { "eth0" . 5000 } dnat to 10.0.0.2', ['5000'], ['5001']],
    ['ip saddr . tcp dport { 10.0.0.0/8 . 5000 } dnat to 10.0.0.2', ['5000'], ['5001']],
    ['ip daddr 10.43.0.1 tcp dport 443 dnat to 10.0.0.2', [], ['443']],
    ['ip daddr 192.168.50.0/24 tcp dport 443 dnat to 10.0.0.2', ['443'], []],
    ['ip daddr 127.0.0.53 tcp dport 443 dnat to 10.0.0.2', ['443'], []],
    ['fib daddr type local tcp dport 31000 redirect', ['31000'], []],
    ['fib daddr type != local tcp dport 31000 redirect', [], ['31000']],
    ['iifname "eth0" tcp dport 31000 jump c', ['31000'], ['31001']],
    ['tcp dport 5000-5005 counter packets 0 bytes 0 xt target "DNAT"', ['5000'], ['5006']],
    ['meta l4proto tcp redirect to :1', [], ['80']],
    ['tcp dport 80 accept', [], ['80']],
    ['tcp dport 80 comment "dnat to 10.0.0.1"', [], ['80']],
    ['tcp sport 80 dnat to 10.0.0.1', [], ['80']],
    ['tcp dport 80 jump missing', [], ['80']],
  ] as const) {
    for (const port of mapped) t.ok(nftOwner(port, [rule], sets), `${rule}: ${port}`);
    for (const port of free) t.notOk(nftOwner(port, [rule], sets), `${rule}: not ${port}`);
  }
  t.match(nftOwner('8080', ['tcp dport 8080 dnat to 10.0.0.2']), 'table ip other, chain pre');
  t.notOk(nftOwner('80', ['tcp dport 80 accept', 'tcp dport 1-90 dnat to 10.0.0.2']), 'a rule before it lets it pass');
  t.ok(nftOwner('80', ['iifname "lo" tcp dport 80 accept', 'tcp dport 1-90 dnat to 10.0.0.2']), 'or not all of it');
  t.notOk(nftOwner('80', ['tcp dport 80 redirect to :9'], '', 'output'), 'what the board sends elsewhere');
  t.ok(nftOwner('80', ['fib daddr type local tcp dport 80 redirect to :9'], '', 'output'), 'or to itself');
  t.notOk(nftOwner('80', ['tcp dport 80 dnat to 10.0.0.2'], '', 'postrouting'));
  const loop = 'table ip t {\n\tchain a {\n\t\ttype nat hook prerouting priority 0;\n\t\tjump a\n\t}\n}\n';
  t.notOk(ownerOf(readNft(loop), key('80')));
});

t.test('rules of iptables that map a port of the board', async (t) => {
  const save = (...rules: readonly string[]) =>
    `# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:D - [0:0]\n${rules.map((rule) => `-A ${rule}\n`).join('')}COMMIT\n`;
  const owner = (text: string, ...rules: readonly string[]) => ownerOf(readIptables('ip', save(...rules)), key(text));
  for (const [rules, mapped, free] of [
    [
      ['PREROUTING -p tcp -m tcp --dport 5000:5005 -j DNAT --to-destination 10.0.0.7:80'],
      ['5000', '5005'],
      ['5006', '80'],
    ],
    [['PREROUTING -p tcp -m multiport --dports 5010,5020:5022 -j REDIRECT --to-ports 99'], ['5010', '5021'], ['5011']],
    [
      // Docker's
      [
        'PREROUTING -m addrtype --dst-type LOCAL -j D',
        'D -i docker0 -j RETURN',
        'D ! -i docker0 -p udp -m udp --dport 5353 -j DNAT --to-destination 10.0.0.9:53',
      ],
      ['5353/udp'],
      ['5353', '53/udp'],
    ],
    [
      [
        'OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j D',
        'D -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.9:80',
      ],
      ['80'],
      ['81'],
    ],
    [
      // the CNI's portmap
      [
        'PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT',
        'CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"cbr0\\" id: \\"-j X\\"" -m multiport --dports 80,443 -j CNI-DN-1',
        'CNI-DN-1 -s 10.42.0.0/24 -p tcp -m tcp --dport 80 -j CNI-HOSTPORT-SETMARK',
        'CNI-DN-1 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.42.0.7:80',
        'CNI-DN-1 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.42.0.7:443',
      ],
      ['80', '443'],
      ['81'],
    ],
    [
      // kube-proxy's: a service's address, and a node port, whose mapping names no port
      [
        'PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        'KUBE-SERVICES -d 10.43.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-SVC-1',
        'KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
        'KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-EXT-1',
        'KUBE-EXT-1 -j KUBE-SVC-1',
        'KUBE-SVC-1 -m statistic --mode random --probability 0.5 -j KUBE-SEP-1',
        'KUBE-SEP-1 -p tcp -m tcp -j DNAT --to-destination 10.42.0.7:80',
      ],
      ['30080'],
      ['443', '80'],
    ],
    [['PREROUTING -p tcp -m tcp ! --dport 22 -j DNAT --to-destination 10.0.0.7'], ['80'], ['22', '80/udp']],
    [['PREROUTING -p tcp -j DNAT --to-destination 10.0.0.7'], [], ['80']],
    [
      [
        'PREROUTING -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xffffffff',
        'PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9',
      ],
      ['80'],
      [],
    ],
    [
      ['PREROUTING -p tcp -m tcp --dport 80 -j ACCEPT', 'PREROUTING -p tcp -m tcp --dport 80 -j REDIRECT --to-ports 9'],
      [],
      ['80'],
    ],
    [['POSTROUTING -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.7'], [], ['80']],
  ] as const) {
    for (const port of mapped) t.ok(owner(port, ...rules), `${rules.at(-1)}: ${port}`);
    for (const port of free) t.notOk(owner(port, ...rules), `${rules.at(-1)}: not ${port}`);
  }
});
