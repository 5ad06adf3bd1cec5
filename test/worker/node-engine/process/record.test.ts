import { isAbsolute } from 'node:path';
import t from 'tap';
import { recorded } from '../../../../worker/node-engine/process/record.ts';

t.test('a recorded program is named by its path, so that no applet of the shell takes its place', async (t) => {
  const argv = recorded(['sh', '-c', 'exit 3'], { NAME: 'a value' });
  const at = argv.indexOf('NAME=a value') + 1;
  t.ok(isAbsolute(argv[at] ?? ''), argv.join(' '));
  t.strictSame(argv.slice(at + 1), ['-c', 'exit 3']);
  t.equal(recorded(['no-such-program'], {}).at(-1), 'no-such-program');
});
