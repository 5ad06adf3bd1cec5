// An ssh server for one connection on its standard input and output, as inetd starts one. HOST_KEY and ALLOWED_KEY in its
// environment are the host's own key and the one that may log in. Whoever logs in has the rights of this process.
import { spawn } from 'node:child_process';
import net from 'node:net';
import { Duplex } from 'node:stream';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';

const { HOST_KEY: hostKey = '', ALLOWED_KEY: allowed = '' } = process.env;
const key = ssh2.utils.parseKey(allowed);
if (key instanceof Error) throw key;

const join = (a: Duplex, b: Duplex): void => {
  a.on('error', () => b.destroy())
    .pipe(b)
    .on('error', () => a.destroy())
    .pipe(a);
};

const execute = (channel: ServerChannel, command: string): void => {
  const child = spawn('sh', ['-c', command], {
    cwd: '/',
    env: { PATH: process.env['PATH'], SSH_CONNECTION: '10.0.0.1 40000 10.0.0.2 22' },
  });
  channel.pipe(child.stdin).on('error', () => {});
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on('close', () => child.stdin.destroy());
  child.on('close', (code, signal) => {
    if (signal) channel.exit(signal);
    else channel.exit(code ?? 255);
    channel.end();
  });
};

const forwardBack = (client: Connection, address: string, port: number, answer: (ready: boolean) => void): void => {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    client.forwardOut(address, port, '127.0.0.1', 0, (error, channel) =>
      error ? socket.destroy() : join(socket, channel),
    );
  });
  server.once('error', () => answer(false)).listen(port, address, () => answer(true));
};

const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
  client.on('authentication', (context) => {
    if (context.method !== 'publickey' || !context.key.data.equals(key.getPublicSSH()))
      return context.reject(['publickey']);
    const { signature, blob } = context;
    if (signature && (!blob || key.verify(blob, signature, context.hashAlgo) !== true)) return context.reject();
    context.accept();
  });
  client.on('session', (accept) => {
    accept().on('exec', (acceptExec, _reject, { command }) => execute(acceptExec(), command));
  });
  client.on('tcpip', (accept, reject, { destIP, destPort }) => {
    const socket = net.connect({ host: destIP, port: destPort, allowHalfOpen: true });
    socket.once('error', () => reject());
    socket.once('connect', () => join(socket, accept()));
  });
  client.on('request', (accept, reject, name, info) => {
    if (name === 'tcpip-forward')
      forwardBack(client, info.bindAddr, info.bindPort, (ready) => (ready ? accept : reject)?.());
    else reject?.();
  });
  client.on('error', () => process.exit());
});
const { stdin, stdout } = process;
const socket = new Duplex({
  read: () => stdin.resume(),
  write: (chunk, _encoding, done) => stdout.write(chunk, done),
});
stdin.on('data', (chunk) => socket.push(chunk) || stdin.pause()).on('end', () => process.exit());
// ssh2 takes any stream for a socket (its documentation: injectSocket)
server.injectSocket(socket as net.Socket);
