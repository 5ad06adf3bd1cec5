import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { create, greeting, patience } from './world/instances.ts';
import { inLab } from './world/sandbox.ts';
import { task } from './world/world.ts';

inLab(import.meta.url, (folder) => {
  fact(folder, '2.16', { in: 'once', runs: true }, async (t, world) => {
    const { board, cluster } = world;
    const { engine, manager } = await world.worker();
    const before = await board.footprint();
    const image = cluster.offer('hello.wasm', await greeting());
    const names = [
      'a.b.c',
      'a.b.c.d.e',
      '../../../tmp/x.b.c.d',
      'a.b.c.$(reboot)',
      'a.b.c.d;reboot',
      'a.b.c.d\nlink del lo',
      '-a.b.c.d',
      `${'a'.repeat(31)}.b.c.d`,
    ];
    for (const job_name of names)
      world.cluster.sendJob({ job_name, instance_number: 0, image, virtualization: 'wasm' });
    await create(world, { instance: 9 }).then((deployment) => deployment.undeploy(patience()));
    t.ok(engine.runs() && manager.runs());
    t.same(await board.footprint(), before);
    const accepted = cluster.heard('job').filter((job) => job['status'] === 'CREATED' && job['instance'] === 0);
    t.same(accepted, []);
    t.equal((await run('ls', board.logs)).trim(), task(9), 'no file but the one of the good name');
  });

  fact(folder, '2.17', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    const bytes = await greeting();
    const digest = createHash('sha256').update(bytes).digest('hex');
    const place = join(world.board.logs, 'files');
    await mkdir(place);
    await writeFile(join(place, 'hello.wasm'), bytes);
    const withDigest = world.cluster.offer('hello.wasm', bytes);
    const plain = withDigest.slice(0, withDigest.indexOf('#'));
    const registry = world.cluster.offer('files/pkg:1.0:hello.wasm:download', bytes).replace('#', '?alt=media#');
    const images = [withDigest, plain, registry, `file://${join(place, 'hello.wasm')}#sha256=${digest}`];
    for (const [instance, image] of images.entries()) {
      await create(world, { instance, image });
      t.pass(image);
    }
  });
});
