import { execOk, type Machine } from '../../lab/machine/machine.ts';
import { userNetwork } from '../../lab/machine/user-network.ts';

/** Two boards on one segment, as network namespaces of a guest whose kernel has what an overlay needs. */
const segment = `
set -e
ip link add seg type bridge
ip addr add 192.168.77.1/24 dev seg
ip link set seg up
echo 1 > /proc/sys/net/ipv4/ip_forward
nft 'table ip segment { chain out { type nat hook postrouting priority 100; ip saddr 192.168.77.0/24 oifname != "seg" masquerade; }; }'
for node in a:11 b:12; do
  name=\${node%:*}
  ip netns add node-$name
  ip link add seg-$name type veth peer name eth1 netns node-$name
  ip link set seg-$name master seg up
  ip -n node-$name link set lo up
  ip -n node-$name addr add 192.168.77.\${node#*:}/24 dev eth1
  ip -n node-$name link set eth1 up
  ip -n node-$name route add default via 192.168.77.1
  mkdir -p /root/$name/state
  ip netns exec node-$name unshare -m sh -c 'mount -t tmpfs none /run && mkdir /run/netns && exec sleep 1000000' </dev/null >/dev/null 2>&1 &
  echo $! > /root/$name/holder
done
`;

const program = `
const http = require('node:http'), dgram = require('node:dgram');
const [text, port] = process.argv.slice(2);
for (const [host, kind] of [['0.0.0.0', 'udp4'], ['::', 'udp6']]) {
  http.createServer((request, response) => response.end(text)).listen({ host, port, ipv6Only: host === '::' });
  const socket = dgram.createSocket({ type: kind, ipv6Only: host === '::' });
  socket.on('message', (message, { port, address }) => socket.send(text, port, address));
  socket.bind(Number(port), host);
}
`;

/** Sends one datagram of the overlay that holds a UDP packet between two addresses. */
const forger = `
const [, , to, source, destination, first] = process.argv;
const ip = (address) => Buffer.from(address.split('.').map(Number));
const sum = (bytes) => {
  let all = 0;
  for (let at = 0; at < bytes.length; at += 2) all += bytes.readUInt16BE(at);
  while (all >> 16) all = (all & 0xffff) + (all >> 16);
  return ~all & 0xffff;
};
const packet = Buffer.alloc(32);
packet[0] = 0x45; packet.writeUInt16BE(32, 2); packet[8] = 64; packet[9] = 17;
ip(source).copy(packet, 12); ip(destination).copy(packet, 16);
packet.writeUInt16BE(sum(packet.subarray(0, 20)), 10);
packet.writeUInt16BE(1234, 20); packet.writeUInt16BE(80, 22); packet.writeUInt16BE(12, 24);
packet[0] = Number('0x' + first);
const socket = require('node:dgram').createSocket('udp4');
socket.bind(0, () => socket.send(packet, 50103, to, () => socket.close()));
`;

/** Keeps a connection busy, and says how it ends. */
const holder = `
const socket = require('node:net').connect(80, process.argv[2]);
setInterval(() => socket.write('GET / HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n'), 100);
socket.on('data', () => {});
socket.on('error', ({ code }) => { console.log(code); process.exit(); });
socket.on('close', () => { console.log('closed'); process.exit(); });
`;

/** Sends 30 datagrams to port 80 of each host, each from a port of its own, and says who has answered. */
const asker = `
const answered = new Map();
for (const host of process.argv.slice(2)) {
  const texts = new Set();
  answered.set(host, texts);
  for (let at = 0; at < 30; at++)
    setTimeout(() => {
      const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
      socket.on('error', () => {}).on('message', (message) => texts.add(String(message))).send('?', 80, host);
    }, 100 * at);
}
setTimeout(() => {
  console.log(JSON.stringify([...answered.values()].map((texts) => [...texts].sort())));
  process.exit();
}, 8000);
`;

/** Asks port 80 of each host from eight sockets twice a second for good, and writes down each one's last answer. */
const keenAsker = `
const [, , file, ...hosts] = process.argv;
const last = [];
for (const host of hosts.flatMap((host) => Array(8).fill(host))) {
  const at = last.push(null) - 1;
  const socket = require('node:dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.on('error', () => {}).on('message', (message) => { last[at] = String(message); });
  socket.bind(0, () => setInterval(() => socket.send('?', 80, host), 500));
}
const fs = require('node:fs');
setInterval(() => {
  fs.writeFileSync(file + '.new', JSON.stringify(last));
  fs.renameSync(file + '.new', file);
}, 500);
`;

export type NodeName = 'a' | 'b';

export const nodeAddress = { a: '192.168.77.11', b: '192.168.77.12' } as const;

/** Makes both nodes in a guest, with a bundled NetManager for them, and starts nothing in them yet. */
export const setUpBoards = async (machine: Machine, clusterPort: number, netManager: Uint8Array) => {
  const sh = async (text: string): Promise<string> => await execOk(machine, ['sh', '-c', text]);
  await machine.writeFile('/root/net-manager.cjs', netManager);
  await machine.writeFile('/root/serve.cjs', program);
  await machine.writeFile('/root/forge.cjs', forger);
  await machine.writeFile('/root/hold.cjs', holder);
  await machine.writeFile('/root/ask.cjs', asker);
  await machine.writeFile('/root/keep-asking.cjs', keenAsker);
  await sh(segment);

  /** Runs a command in a node, or in an instance of it. */
  const inNode = (name: NodeName, text: string, task?: string): Promise<string> => {
    const inner = task === undefined ? [] : ['nsenter', `--net=/run/netns/${task}`, '--'];
    const words = ['nsenter', '-t', `$(cat /root/${name}/holder)`, '-m', '-n', '--', ...inner];
    return sh(`exec ${words.join(' ')} sh -c '${text.replaceAll("'", `'\\''`)}'`);
  };
  const start = async (name: NodeName, netcfg: object = {}, tuncfg: object = {}): Promise<void> => {
    const net = { NodePublicAddress: nodeAddress[name], ClusterMqttPort: `${clusterPort}`, Debug: true, ...netcfg };
    await machine.writeFile(`/root/${name}/netcfg.json`, JSON.stringify(net));
    await machine.writeFile(`/root/${name}/tuncfg.json`, JSON.stringify(tuncfg));
    const command = `node /root/net-manager.cjs --config /root/${name} --state /root/${name}/state --socket /root/${name}/nm.sock`;
    await sh(`rm -f /root/${name}/nm.sock`);
    await inNode(name, `${command} >>/root/${name}/log 2>&1 </dev/null & echo $! > /root/${name}/pid`);
    await sh(
      `for i in $(seq 900); do [ -S /root/${name}/nm.sock ] && exit 0; sleep 0.1; done; cat /root/${name}/log; exit 1`,
    );
  };
  const post = async (name: NodeName, path: string, body: object): Promise<string> =>
    sh(
      `curl -sS -m 120 --unix-socket /root/${name}/nm.sock -X POST -d '${JSON.stringify(body)}' -w '\\n%{http_code}' http://nm${path}`,
    );
  return {
    sh,
    inNode,
    start,
    post,
    register: (name: NodeName) => post(name, '/register', { client_id: name, cluster_address: userNetwork.lab }),
    deploy: (name: NodeName, serviceName: string, instanceNumber: number) =>
      post(name, '/wasm/deploy', { pid: 0, serviceName, instanceNumber, portMappings: '' }),
    undeploy: (name: NodeName, serviceName: string, instanceNumber: number) =>
      post(name, '/wasm/undeploy', { serviceName, instanceNumber }),
    /** Serves a text in an instance, over HTTP and UDP, in both families. */
    serve: (name: NodeName, task: string, text: string, port = 80) =>
      inNode(name, `node /root/serve.cjs ${text} ${port} >/dev/null 2>&1 </dev/null &`, task),
    /** What an instance gets for a URL, or why not. */
    get: (name: NodeName, task: string, url: string) => inNode(name, `curl -sS -m 60 ${url} 2>&1; true`, task),
    /** What an instance gets once it is as expected, or after some tries: a guest on a busy computer takes its time. */
    getting: (name: NodeName, task: string, url: string, expected: string) =>
      inNode(
        name,
        `for i in $(seq 12); do got=$(curl -sS -m 20 ${url} 2>&1); [ "$got" = "${expected}" ] && break; done; echo -n "$got"`,
        task,
      ),
    /** Sends a datagram of the overlay with a packet of one's choice; `first` is its first byte, in hexadecimal. */
    forge: (
      name: NodeName,
      to: string,
      { source, destination, first }: { readonly source: string; readonly destination: string; readonly first: string },
    ) => inNode(name, `node /root/forge.cjs ${to} ${source} ${destination} ${first}`),
    /** Opens a connection from an instance that stays busy. */
    hold: (name: NodeName, task: string, host: string) =>
      inNode(name, `node /root/hold.cjs ${host} >/root/${name}/held 2>&1 </dev/null &`, task),
    /** How the connection ended, after at most some seconds; empty while it goes on. */
    held: (name: NodeName, seconds = 0) =>
      sh(`for i in $(seq ${seconds}); do [ -s /root/${name}/held ] && break; sleep 1; done; cat /root/${name}/held`),
    /** Which texts answer at each host over UDP. */
    asked: async (name: NodeName, task: string, hosts: readonly string[]) =>
      JSON.parse(await inNode(name, `node /root/ask.cjs ${hosts.join(' ')}`, task)) as readonly (readonly string[])[],
    /** Keeps asking each host over UDP from some sockets, as long as the board is there; resolves when all were answered. */
    keepAsking: async (name: NodeName, task: string, hosts: readonly string[]) => {
      const file = `/root/${name}/last-answers`;
      await inNode(name, `node /root/keep-asking.cjs ${file} ${hosts.join(' ')} >/dev/null 2>&1 </dev/null &`, task);
      await sh(`for i in $(seq 60); do [ -s ${file} ] && ! grep -q null ${file} && exit 0; sleep 1; done; exit 1`);
    },
    /** What each of these sockets was answered last. */
    lastAnswers: async (name: NodeName) =>
      JSON.parse(await sh(`cat /root/${name}/last-answers`)) as readonly (string | null)[],
    kill: (name: NodeName, signal = 'KILL') => sh(`kill -${signal} $(cat /root/${name}/pid)`),
    log: (name: NodeName) => sh(`cat /root/${name}/log`),
    /** What a node has counted since its rules were made. */
    counters: async (name: NodeName) => {
      const command = `node /root/net-manager.cjs --status --state /root/${name}/state --config /root/${name}`;
      const { overlay } = JSON.parse(await inNode(name, command)) as { overlay: { counters: Record<string, number> } };
      return overlay.counters;
    },
  };
};
