import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { applyPlan, PlanFailed, undoPlan } from '../../../../worker/net-manager/kernel/apply.ts';
import { asNew, type Plan } from '../../../../worker/net-manager/plan/plan.ts';
import { planInstance, planNode } from '../../../../worker/net-manager/plan/planner.ts';
import type { Settings } from '../../../../worker/net-manager/plan/settings.ts';
import { instanceAt } from '../../../../worker/net-manager/request.ts';
import { footprint, get, run, serve } from '../kernel.ts';
import { inSandbox } from '../sandbox.ts';
import { settingsWith } from '../settings.ts';

const execute = promisify(execFile);
const entry = fileURLToPath(new URL('../../../../worker/net-manager/main.ts', import.meta.url));
const service = 'app.appns.svc.svcns';

/** How many lines `ip` is told for a plan on the board's side. */
const linesOf = (plan: Plan): number => plan.flatMap((step) => (step.tool === 'ip' ? step.changes : [])).length;

/** Every command of a plan once: the plan broken at that command, so that it stops there. */
const brokenPlans = (plan: Plan): readonly Plan[] =>
  plan.flatMap((step, at) => {
    const put = (broken: Plan[number]) => plan.with(at, broken);
    if (step.tool === 'ip')
      return step.changes.map((change, line) =>
        put({ ...step, changes: step.changes.with(line, { ...change, do: 'nonsense' }) }),
      );
    if (step.tool === 'nft') return [put({ ...step, do: [...step.do, 'nonsense'] })];
    if (step.tool === 'sysctl') return [put({ ...step, values: { 'net/nonsense': '1' } })];
    if (step.tool === 'command') return [put({ ...step, commands: [{ do: ['false'], is: 'nonsense' }] })];
    return [put({ ...step, namespace: 'nonsense' })];
  });

const settingsOf = (topology: Settings['topology'], egress: Settings['egress']) => settingsWith({ topology, egress });

inSandbox(import.meta.url, () => {
  for (const topology of ['bridged', 'veth'] as const)
    t.test(`a plan that fails at any command is undone exactly, ${topology}`, async (t) => {
      const settings = settingsOf(topology, 'on');
      const node = planNode(settings, { instances: [], advertised: [] });
      await applyPlan(node);
      const before = await footprint();
      const wanted = {
        serviceName: service,
        instanceNumber: 0,
        pid: 0,
        ports: [{ host: 80, inner: 80, protocol: 'tcp' } as const],
      };
      const plan = asNew(planInstance(settings, instanceAt(2, wanted)));
      for (const broken of brokenPlans(plan)) {
        const failure = await applyPlan(broken).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (!(failure instanceof PlanFailed)) throw new Error('a broken plan was applied');
        await undoPlan(failure.done);
        t.same(await footprint(), before, failure.message);
      }
      await applyPlan(plan);
      await undoPlan(plan);
      t.same(await footprint(), before, 'and so is a whole one');
      await undoPlan(node);
    });

  t.test('plans that are applied at once share a process, and one that fails harms no other', async (t) => {
    const settings = settingsOf('bridged', 'on');
    const node = planNode(settings, { instances: [], advertised: [] });
    await applyPlan(node);
    const before = await footprint();
    const plans = [2, 3, 4, 5].map((slot) =>
      asNew(
        planInstance(settings, instanceAt(slot, { serviceName: service, instanceNumber: slot, pid: 0, ports: [] })),
      ),
    );
    const [first = [], second = [], ...others] = plans;
    for (const broken of brokenPlans(second)) {
      const results = await Promise.allSettled([first, broken, ...others].map(applyPlan));
      t.same(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled', 'fulfilled'],
      );
      const failure = results[1]?.status === 'rejected' ? results[1].reason : undefined;
      if (!(failure instanceof PlanFailed)) throw failure;
      const line = Number(/Command failed -:(\d+)/.exec(failure.message)?.[1]);
      if (broken[0] !== second[0]) t.ok(line > linesOf(first), `line ${line} of all that one process was told`);
      await undoPlan(failure.done);
      const { links, namespaces } = await footprint();
      t.same(links.filter((link) => link.startsWith('veth00')).toSorted(), ['veth00oak2', 'veth00oak4', 'veth00oak5']);
      t.equal(namespaces.length, 3);
      await Promise.all([first, ...others].map(undoPlan));
      t.same(await footprint(), before, failure.message);
    }
    await undoPlan(node);
  });

  t.test('any order of deployments and removals leaves what the model says', async (t) => {
    const settings = settingsOf('veth', 'off');
    const node = planNode(settings, { instances: [], advertised: [] });
    await applyPlan(node);
    const before = await footprint();
    const planOf = (slot: number) =>
      planInstance(
        settings,
        instanceAt(slot, {
          serviceName: service,
          instanceNumber: slot,
          pid: 0,
          ports: [{ host: slot, inner: 80, protocol: slot % 2 ? 'tcp' : 'udp' }],
        }),
      );
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 2, max: 6 }), { minLength: 1, maxLength: 8 }), async (toggles) => {
        const standing = new Set<number>();
        for (const slot of toggles)
          if (standing.delete(slot)) await undoPlan(planOf(slot));
          else {
            standing.add(slot);
            await applyPlan(planOf(slot));
          }
        const { links, namespaces } = await footprint();
        const expected = [...standing].map((slot) => `veth00oak${slot}`);
        const right =
          links
            .filter((link) => link.startsWith('veth'))
            .toSorted()
            .join() === expected.toSorted().join();
        for (const slot of standing) await undoPlan(planOf(slot));
        return right && namespaces.length === standing.size;
      }),
      { seed: 20_261_123, numRuns: 8 },
    );
    t.same(await footprint(), before);
    await undoPlan(node);
  });

  t.test('--plan prints commands that can be pasted, and runs none', async (t) => {
    const folder = t.testdir({ overlaid: {}, 'netcfg.json': JSON.stringify({ Overlay: 'off' }) });
    const bare = await footprint();
    const request = JSON.stringify({ serviceName: service, instanceNumber: 0, portMappings: '80:8080' });
    const argv = [entry, '--config', folder, '--state', folder, '--plan'];
    const { stdout } = await execute(process.execPath, [...argv, request]);
    const overlaid = [entry, '--config', join(folder, 'overlaid'), '--state', folder, '--plan', request];
    t.match(
      (await execute(process.execPath, overlaid)).stdout,
      /fou add port 50103 gue[\s\S]*table inet oakestra_overlay/,
    );
    t.same(await footprint(), bare);
    await mkdir('/run/pasted');
    const script = join('/run/pasted', 'script');
    await writeFile(script, stdout);
    await run('sh', '-e', script);
    using _serving = await serve(`${service}.instance.0`, 8080, 'pasted');
    t.equal(await get(undefined, 'http://127.0.0.1:80/'), 'pasted');
    await t.rejects(execute(process.execPath, [...argv, '{}']), { code: 1, stderr: /serviceName/ });
    await t.rejects(execute(process.execPath, [...argv, '{"serviceName":"x;reboot","instanceNumber":0}']), { code: 1 });
  });

  t.test('configuration that can’t be followed is refused with its reason', async (t) => {
    for (const [netcfg, reason] of [
      [{ Egress: ['10.0.0.0/8 accept; drop'] }, /is not a network/],
      [{ Overlay: ['10.30.0.0/16 }; flush'] }, /Overlay: .* is not a network/],
      [{ DefaultInterface: 'eth0" accept' }, /no interface's name/],
      [{ WasmTopology: 'star' }, /bridged, veth/],
      [{ ClusterMqttPort: 'many' }, /ClusterMqttPort/],
      [{ NodePublicAddress: 'localhost' }, /is no address/],
    ] as const) {
      const folder = t.testdir({
        'netcfg.json': JSON.stringify({
          NodePublicAddress: '0.0.0.0',
          NodePublicPort: '50103',
          ClusterMqttPort: '10003',
          ...netcfg,
        }),
      });
      const started = execute(process.execPath, [entry, '--config', folder, '--state', folder]);
      await t.rejects(started, { code: 1, stderr: reason });
    }
    const folder = t.testdir({ 'netcfg.json': {} });
    const started = execute(process.execPath, [entry, '--config', folder, '--state', folder]);
    await t.rejects(started, { code: 1, stderr: /netcfg\.json cannot be read: EISDIR/ });
    await t.rejects(execute(process.execPath, [entry, '--nonsense']), { code: 64 });
  });
});
