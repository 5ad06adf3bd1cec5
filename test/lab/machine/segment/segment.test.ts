import { once } from 'node:events';
import fs from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import t from 'tap';
import { FrameReader, framed } from '../../../../lab/machine/segment/frames.ts';
import { openSegment, type Segment } from '../../../../lab/machine/segment/segment.ts';
import { openRun, processesOf } from '../../../../lab/system/runs.ts';
import { until } from '../../../../lab/system/wait.ts';

const soon = () => AbortSignal.timeout(120_000);

/** A station that speaks QEMU's framing, as an emulator with `-netdev stream` does. */
class Station implements Disposable {
  readonly socket: net.Socket;
  readonly #mac: Buffer;
  readonly #seen: string[] = [];

  constructor(socket: net.Socket, mac: string) {
    this.socket = socket;
    this.#mac = Buffer.from(mac.replaceAll(':', ''), 'hex');
    const reader = new FrameReader();
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const frame of reader.read(chunk)) this.#seen.push(frame.toString('utf8', 4 + 14));
    });
  }

  static async connect(segment: Segment, board: string): Promise<Station> {
    const { socket: file, mac } = segment.portOf(board);
    const socket = net.connect(file);
    await once(socket, 'connect');
    return new Station(socket, mac);
  }

  send(to: Station | 'all', text: string): void {
    const destination = to === 'all' ? Buffer.alloc(6, 0xff) : to.#mac;
    this.socket.write(framed(Buffer.concat([destination, this.#mac, Buffer.from('0800', 'hex'), Buffer.from(text)])));
  }

  /** The texts that came, once there are `count` of them. */
  seen(count: number): Promise<readonly string[]> {
    return until(() => (this.#seen.length >= count ? this.#seen : undefined), soon());
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

const open = async (stack: AsyncDisposableStack, boards: readonly string[]) => {
  const run = stack.use(await openRun('a test of the segment'));
  const segment = stack.use(await openSegment(run, boards));
  const stations = await Promise.all(boards.map((board) => Station.connect(segment, board)));
  for (const station of stations) stack.use(station);
  return { run, segment, stations };
};

t.test('boards on a segment hear each other, and only what is theirs', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { segment, stations } = await open(stack, ['one', 'two', 'three']);
  const [one, two, three] = stations as [Station, Station, Station];
  one.send('all', 'who is there?');
  for (const other of [two, three]) t.strictSame(await other.seen(1), ['who is there?']);
  two.send(one, 'two');
  t.strictSame(await one.seen(1), ['two']);
  one.send(two, 'for two');
  one.send('all', 'for all');
  t.strictSame(await three.seen(2), ['who is there?', 'for all'], 'a known address is no one else’s');
  t.strictSame(await two.seen(3), ['who is there?', 'for two', 'for all']);
  const addresses = ['one', 'two', 'three'].map((board) => segment.portOf(board).address);
  t.strictSame(addresses, ['192.168.77.11/24', '192.168.77.12/24', '192.168.77.13/24']);
});

t.test('links are changed during a run: cut, slow, lossy and whole again', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { segment, stations } = await open(stack, ['one', 'two']);
  const [one, two] = stations as [Station, Station];
  one.send('all', 'before');
  await two.seen(1);
  await segment.change('two', { isCut: true });
  one.send('all', 'while it is cut');
  // its own direction is cut as well, and a station's frames are taken in their order
  two.send('all', 'back');
  await until(async () => (await segment.change('two', { isCut: true })).lost === 2 || undefined, soon());
  await segment.change('two', { delayMs: 50 });
  const began = performance.now();
  one.send('all', 'after');
  t.strictSame(await two.seen(2), ['before', 'after']);
  t.ok(performance.now() - began >= 49, 'not before its delay');
  await segment.change('two', { loss: 1 });
  one.send('all', 'lost');
  await until(async () => (await segment.change('two', { loss: 1 })).lost === 3 || undefined, soon());
  await segment.change('two', {});
  two.send('all', 'whole again');
  t.strictSame(await one.seen(1), ['whole again']);
  await t.rejects(segment.change('nobody', {}), /no board 'nobody' on the segment: there are one, two/);
});

t.test('a station that speaks nonsense or goes away troubles no other, and may come again', async (t) => {
  await using stack = new AsyncDisposableStack();
  const { segment, stations } = await open(stack, ['one', 'two', 'three']);
  const [one, two, three] = stations as [Station, Station, Station];
  const closed = once(one.socket, 'close');
  one.socket.write(Buffer.alloc(64, 0xff));
  await closed;
  two.socket.write(framed(Buffer.alloc(60)).subarray(0, 30));
  two.socket.destroy();
  using again = stack.use(await Station.connect(segment, 'two'));
  again.send('all', 'here again');
  t.strictSame(await three.seen(1), ['here again']);
  three.send('all', 'welcome');
  t.strictSame(await again.seen(1), ['welcome']);
});

t.test('nothing of a segment is left, whoever ends it', async (t) => {
  const run = await openRun('a test of the segment');
  const segment = await openSegment(run, ['one']);
  const [pid] = await processesOf(run.id);
  t.ok(pid !== undefined, 'the switch carries the mark of the run');
  process.kill(pid ?? 0, 'SIGKILL');
  await until(() => segment.lost.aborted || undefined, soon());
  t.match(segment.lost.reason, { fault: 'lab', message: /the switch between the boards ended with SIGKILL/ });
  await segment[Symbol.asyncDispose]();

  await openSegment(run, ['two']);
  await run[Symbol.asyncDispose]();
  t.strictSame(await processesOf(run.id), [], 'a run takes its switch along');
  await t.rejects(fs.stat(run.folder), { code: 'ENOENT' });
  const blocked = await openRun('a test of the segment');
  await fs.mkdir(path.join(blocked.folder, 'segment', 'three.sock'), { recursive: true });
  await t.rejects(openSegment(blocked, ['three']), /the switch between the boards ended/);
  t.strictSame(await processesOf(blocked.id), []);
  await blocked[Symbol.asyncDispose]();
});
