import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { saveMachine } from '../../../../lab/machine/hardware/definition.ts';
import { until } from '../../../../lab/system/wait.ts';
import { scenarioText } from '../../../scenarios/written.ts';
import { printedResults } from '../../../support/report.ts';
import { bench, failsAsLab, skip, traces, tracesAfter } from './bench.ts';

process.env['XDG_CONFIG_HOME'] = t.testdir();

t.test('a board that is lost in the middle of a run', { skip }, async (t) => {
  const { world, computer, scenario } = await bench(t);
  const before = await traces(computer);

  await t.test('what waits for a board that is lost meanwhile is not the product’s fault', async (t) => {
    const cut = path.join(world.temporary, 'cut');
    const file = path.join(world.temporary, 'waits.ts');
    const wait = JSON.stringify(path.join(import.meta.dirname, '../../../../lab/system/wait.ts'));
    await fs.writeFile(
      file,
      scenarioText(`
      const fs = await import('node:fs/promises');
      const { until } = await import(${wait});
      await step('wait for the board', lab, async ({ signal }) => {
        process.stderr.write('waiting for the board');
        await until(() => fs.stat(${JSON.stringify(cut)}).catch(() => undefined), signal);
        throw new Error('nothing came');
      });`),
    );
    const lab = world.start(scenario(file));
    await lab.says(/waiting for the board/);
    await computer.refuse(true);
    await fs.writeFile(cut, '');
    const ended = await lab.ended;
    failsAsLab(t, ended, /^the connection to bench is lost/);
    const { run, steps } = printedResults(ended.stdout).results;
    t.equal(run.failure?.step, 'wait for the board');
    t.match(steps.at(-1), { name: 'wait for the board', verdict: 'error' });
    await computer.refuse(false);
    const next = await world.run(scenario('veth'));
    t.equal(next.code, 0, { stderr: next.stderr });
    t.equal(await tracesAfter(computer, before), before);
  });

  await t.test('a run that lost its lock leaves alone what is on the board by then', async (t) => {
    const lab = world.start([...scenario('bridged'), '--duration', '120']);
    await lab.says(/HTTP from the lab/);
    const another = 'printf "elsewhere/boot/pid:[1] 17 4711 another\n0\n" >/run/oakestra-lab/lock';
    await computer.look('sh', '-c', another);
    failsAsLab(t, await lab.ended, /another run has taken the lock of bench/);
    t.match(await traces(computer), /oakestra-lab\/holder/, "it may be the other run's");
    const next = await world.run(scenario('veth'));
    t.equal(next.code, 0, { stderr: next.stderr });
    t.equal(await tracesAfter(computer, before), before);
  });
});

t.test('the power command brings a board back that does not answer', { skip }, async (t) => {
  const { world, computer, scenario } = await bench(t);
  const asked = path.join(world.temporary, 'power');
  saveMachine('bench', { ...computer.definition, powerCycle: ['touch', asked] });
  await computer.refuse(true);
  const run = world.run([...scenario('bridged'), '--until', 'boot the board']);
  await until(() => fs.stat(asked).catch(() => undefined), AbortSignal.timeout(300_000));
  await computer.refuse(false);
  const { code, stdout, stderr } = await run;
  t.equal(code, 2, { stderr });
  t.match(printedResults(stdout).results.run.notes, [/its power was taken away and given back/]);
});
