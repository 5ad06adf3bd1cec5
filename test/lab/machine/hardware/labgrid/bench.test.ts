import fs from 'node:fs/promises';
import path from 'node:path';
import t, { type Test } from 'tap';
import { saveMachine } from '../../../../../lab/machine/hardware/definition.ts';
import { printedResults } from '../../../../support/report.ts';
import { bench, failsAsLab, skip, traces, tracesAfter } from '../bench.ts';
import { startFarm } from './farm.ts';
import { labgrid } from './labgrid.ts';
import { startSerialServer } from './serial-server.ts';

process.env['XDG_CONFIG_HOME'] = t.testdir();
const without = typeof labgrid === 'string' ? labgrid : skip;

t.test('a scenario runs on the board of a place, which is given back in every case', { skip: without }, async (t) => {
  if (typeof labgrid === 'string') return;
  const { world, computer, scenario } = await bench(t);
  const { port, identity = '', architecture = 'aarch64' } = computer.definition;
  await using serial = await startSerialServer(labgrid);
  const service = { address: '127.0.0.1', username: 'root' };
  await using farm = await startFarm(
    labgrid,
    path.join(world.temporary, '..', 'farm'),
    {
      pi: {
        NetworkService: { ...service, port },
        NetworkSerialPort: { host: '127.0.0.1', port: serial.port, speed: 57_600 },
      },
      off: { NetworkService: { ...service, port: 1 } },
      bare: { NetworkPowerPort: { model: 'rest', host: 'http://127.0.0.1:1/{index}', index: '1' } },
    },
    { 'pi4-1': { group: 'pi', tags: { board: 'raspi4' } }, 'pi4-2': { group: 'off' }, 'pi4-3': { group: 'bare' } },
  );
  const { coordinator } = farm;
  const use = (labgrid: Parameters<typeof saveMachine>[1]['labgrid'] & object) =>
    saveMachine('bench', { identity, architecture, labgrid: { coordinator, ...labgrid } });
  const nothingHeld = async (t: Test) => {
    t.strictSame([await farm.acquired(), await farm.reservations()], [[], []]);
  };
  const before = await traces(computer);

  await t.test('by tags, with its console in the report', async (t) => {
    use({ tags: { board: 'raspi4' } });
    const lab = world.start(scenario('bridged'));
    await serial.isSetTo(57_600);
    serial.say(Buffer.from('[ 7.0] Under-voltage detected!\r\n'));
    const { code, stdout, stderr } = await lab.ended;
    t.equal(code, 0, { stderr });
    const { folder, results } = printedResults(stdout);
    t.match(results, {
      machine: { name: 'bench' },
      run: { condition: { place: { before: 'pi4-1', after: 'pi4-1' } } },
    });
    t.match(await fs.readFile(path.join(folder, 'console.log'), 'utf8'), /Under-voltage detected!/);
    await nothingHeld(t);
    t.equal(await tracesAfter(computer, before), before, 'the board is as before');
  });

  await t.test('whose owner is named while somebody else has it', async (t) => {
    await farm.client('-p', 'pi4-1', 'acquire');
    failsAsLab(
      t,
      await world.run(scenario('bridged')),
      /a place with board=raspi4 is in use: pi4-1 is acquired by anna on desk/,
    );
    use({ tags: { board: 'raspi4' }, wait: 600 });
    const doctor = await world.run(['doctor', '--machine', 'bench']);
    t.equal(doctor.code, 3, 'without waiting');
    t.match(doctor.stdout, /✗ labgrid: a place with board=raspi4 is in use: pi4-1 is acquired by anna on desk/);
    const lab = world.start(scenario('bridged'));
    await lab.says(/waiting: a place with board=raspi4 is in use: pi4-1 is acquired by anna on desk/);
    lab.child.kill('SIGINT');
    t.equal((await lab.ended).code, 130);
    await farm.client('-p', 'pi4-1', 'release');
    await nothingHeld(t);
  });

  await t.test('also when the board does not answer, or the place does not say how it is reached', async (t) => {
    use({ place: 'pi4-2' });
    failsAsLab(t, await world.run(scenario('bridged')), /bench is there, but no ssh answers/);
    await nothingHeld(t);
    use({ place: 'pi4-3' });
    failsAsLab(t, await world.run(scenario('bridged')), /place pi4-3 has no resource of class NetworkService/);
    await nothingHeld(t);
  });

  await t.test('also when it is interrupted', async (t) => {
    use({ place: 'pi4-1' });
    const lab = world.start(scenario('bridged'));
    await lab.says(/start the worker/);
    t.match(await farm.acquired(), [/^pi4-1 .*\+oakestra-lab-/]);
    lab.child.kill('SIGINT');
    t.equal((await lab.ended).code, 130);
    await nothingHeld(t);
    t.equal(await tracesAfter(computer, before), before);
  });

  await t.test('and when the lab is killed, by the next one', async (t) => {
    const lab = world.start(scenario('bridged'));
    await lab.says(/start the worker/);
    lab.child.kill('SIGKILL');
    await lab.ended;
    t.match(await farm.acquired(), [/^pi4-1 .*\+oakestra-lab-/], 'the coordinator keeps it');
    const clean = await world.run(['clean']);
    t.match(clean.stdout, /gave back the labgrid place pi4-1, which .* on .* \(run .* of the lab\) had/);
    await nothingHeld(t);
    t.match((await world.run(['clean'])).stdout, /nothing to remove/);
  });

  await t.test('doctor looks at the board of a place, and gives it back', async (t) => {
    const { code, stdout } = await world.run(['doctor', '--machine', 'bench']);
    t.equal(code, 0, stdout);
    t.match(stdout, /✓ labgrid: place pi4-1 is free[\s\S]*✓ ssh: root@127\.0\.0\.1 answers[\s\S]*✓ serial console: /);
    await nothingHeld(t);
  });
});
