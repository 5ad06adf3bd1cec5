import t from 'tap';
import { chooseLab } from '../../../lab/standing/choose.ts';

const lab = (name: string) => ({
  name,
  id: `id-${name}`,
  machine: 'local',
  folder: `/tmp/${name}`,
  started: '2026-01-01',
});
const lost = (name: string) => ({ ...lab(name), ended: { at: '04:12', reason: 'the board ended' } });

t.test('a command means the lab that is named, the only one, or the one called default', async (t) => {
  const [one, two, usual] = [lab('one'), lab('two'), lab('default')];
  t.equal(chooseLab(undefined, { living: [one], ended: [] }), one);
  t.equal(chooseLab(undefined, { living: [one, usual], ended: [] }), usual);
  t.equal(chooseLab('two', { living: [one, two, usual], ended: [] }), two);
  t.equal(chooseLab(undefined, { living: [], ended: [] }), undefined);
  t.equal(chooseLab(undefined, { living: [one], ended: [lost('default')] }), one, 'another one stands');
});

t.test('which of several, and one that is not there, is nobody to be guessed', async (t) => {
  const labs = { living: [lab('one'), lab('two')], ended: [] };
  t.throws(() => chooseLab(undefined, labs), {
    fault: 'usage',
    message: '2 labs stand: name one of them',
    next: ['--lab one', '--lab two'],
  });
  t.throws(() => chooseLab('tow', labs), { fault: 'usage', message: /no lab 'tow' stands \(did you mean 'two'\?/ });
});

t.test('a lab that ended by itself says why, once it is meant', async (t) => {
  const message = "the lab 'one' on local ended at 04:12: the board ended";
  const next = ['npm run lab -- up --machine local --lab one'];
  t.throws(() => chooseLab(undefined, { living: [], ended: [lost('one')] }), { fault: 'lab', message, next });
  t.throws(() => chooseLab('one', { living: [lab('two')], ended: [lost('one')] }), { fault: 'lab', message });
});

t.test('a lab that served a cluster of its own is started again for the same one', async (t) => {
  const joined = { ...lost('one'), join: { cluster: 'c:10100', publicAddress: '192.0.2.1' } };
  t.throws(() => chooseLab('one', { living: [], ended: [joined] }), {
    fault: 'lab',
    message: /the board ended/,
    next: ['npm run lab -- up --machine local --join c:10100 --public-address 192.0.2.1 --lab one'],
  });
});
