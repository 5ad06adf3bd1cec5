import t from 'tap';
import { recordMark, recordsIn } from '../../../../lab/machine/deterministic/records.ts';
import { allowedProcessors, countedArguments } from '../../../../lab/machine/qemu/counted.ts';
import { raspi4b, virt } from '../../../../lab/machine/qemu/definitions.ts';
import { executedInstructions } from '../../../../lab/system/instructions.ts';

const image = { kernel: '/cache/kernel.gz', initramfs: '/run/initramfs.cpio' };
const after = (args: readonly string[], option: string) => args[args.indexOf(option) + 1];

t.test('a guest whose instructions are counted has no device that time could come in by', async (t) => {
  const args = countedArguments(virt, image, { firmware: ['/firmware'], seed: 7 });
  t.equal(after(args, '-icount'), 'shift=0,sleep=off');
  t.equal(after(args, '-accel'), 'tcg,thread=single');
  t.equal(after(args, '-seed'), '7');
  t.equal(after(args, '-smp'), '1');
  t.match(after(args, '-rtc'), /^base=2026-.*,clock=vm$/);
  t.equal(after(args, '-initrd'), image.initramfs);
  t.ok(args.includes('-nodefaults'));
  for (const option of ['-device', '-netdev', '-drive', '-qmp']) t.notOk(args.includes(option), option);
  t.equal(args.filter((arg) => arg === '-serial').length, 2, 'the console, and the line of the result');
});

t.test('two seeds differ in the seed alone', async (t) => {
  const [one, two] = [1, 2].map((seed) => countedArguments(virt, image, { firmware: ['/firmware'], seed }));
  t.strictSame(
    one?.map((arg, n) => (arg === two?.[n] ? [] : [arg, two?.[n]])).filter((pair) => pair.length > 0),
    [['1', '2']],
  );
});

t.test('a board with one serial line has its result on the console', async (t) => {
  const args = countedArguments(raspi4b, { ...image, deviceTree: '/board.dtb' }, { firmware: ['/firmware'], seed: 1 });
  t.equal(args.filter((arg) => arg === '-serial').length, 1);
  t.equal(after(args, '-dtb'), '/board.dtb');
  for (const processor of [1, 2, 3])
    t.ok(args.includes(`loader,addr=0xf00,cpu-num=${processor}`), 'a processor that Linux does not use is parked');
});

t.test('records are told from other text on the same line', async (t) => {
  const text = `Starting network\r\n${recordMark}{"ended":0}\r\nboard login: ${recordMark}{"a":"ü"}\n`;
  t.strictSame(recordsIn(text), ['{"ended":0}', '{"a":"ü"}']);
  t.strictSame(recordsIn('no record\n'), []);
});

t.test('processors are read as the kernel lists them', async (t) => {
  t.strictSame(allowedProcessors('Name:\tnode\nCpus_allowed:\t4f\nCpus_allowed_list:\t0-3,6\n'), [0, 1, 2, 3, 6]);
  t.strictSame(allowedProcessors('Cpus_allowed_list:\t5\n'), [5]);
});

const timerList = `Timer List Version: v0.9
HRTIMER_MAX_CLOCK_BASES: 8
now at 5000000000 nsecs

cpu: 0
 clock 0:
  .base:       (____ptrval____)
active timers:
  .nohz            : 1
  .idle_entrytime  : 4990000000 nsecs
  .idle_sleeptime  : 1200000000 nsecs
  .iowait_sleeptime: 300000000 nsecs
  .last_jiffies    : 4294893466
`;

t.test('instructions are the clock without what was idle', async (t) => {
  t.equal(executedInstructions(timerList), 3_500_000_000);
  t.throws(() => executedInstructions('now at 5 nsecs\n'), /timer_list/);
  t.throws(() => executedInstructions(''), /timer_list/);
});
