import fs from 'node:fs/promises';
import path from 'node:path';
import t from 'tap';
import { findProgram } from '../../lab/system/programs.ts';
import { withoutInit } from '../support/orphans.ts';
import { inSandbox } from '../worker/net-manager/sandbox.ts';
import { fetchText, fixture, noWasmtime, wasmtime } from '../worker/node-engine/support/daemon.ts';
import { until } from '../worker/node-engine/support/until.ts';
import { installWorker, overlaysWork, tell } from '../worker/services/board.ts';
import { tree } from './tree.ts';

const unless = (program: string): string | false => findProgram(program) === undefined && `${program} is not installed`;

const shellScripts = async (): Promise<readonly string[]> => {
  const scripts: string[] = [];
  for (const folder of ['board', 'package', '../packaging']) {
    const files = await fs.readdir(path.join(tree, folder), { recursive: true, withFileTypes: true });
    for (const { parentPath, name } of files.filter((entry) => entry.isFile())) {
      const file = path.join(parentPath, name);
      if ((await fs.readFile(file, 'utf8')).startsWith('#!/bin/sh\n')) scripts.push(file);
    }
  }
  return scripts;
};

const startScript = path.join(tree, 'package/wasmtime/S97wasmtime');
const service = (action: string) => tell('sh', startScript, action);

inSandbox(import.meta.url, async () => {
  t.test(
    'shellcheck finds nothing in the scripts of boards and packages',
    { skip: unless('shellcheck') },
    async (t) => {
      const scripts = await shellScripts();
      t.ok(scripts.length >= 5, `${scripts.length} scripts`);
      t.same(await tell('shellcheck', '--shell=sh', ...scripts), { code: 0, text: '' });
    },
  );

  const noBoard = overlaysWork() ? withoutInit() : 'no file system can be laid over another one here';

  t.test(
    'the optional service of wasmtime',
    { skip: noWasmtime || noBoard || unless('start-stop-daemon') },
    async (t) => {
      await installWorker(wasmtime);
      await fs.symlink('/run', '/var/run');
      const modules = '/etc/wasmtime/modules';
      await fs.mkdir(modules, { recursive: true });
      await fs.copyFile(path.join(tree, 'package/wasmtime/files/cache.toml'), '/etc/wasmtime/cache.toml');
      await fs.copyFile(fixture('hello-wasi-http'), path.join(modules, 'hello.wasm'));
      await fs.writeFile(path.join(modules, 'hello.port'), '8090\n');

      t.match(await service('status'), { code: 1, text: '' });
      t.match(await service('start'), { code: 0, text: 'Starting wasmtime hello: OK' });
      t.teardown(() => service('stop'));
      const answers = () =>
        fetchText('http://127.0.0.1:8090/').then(
          (text) => text.startsWith('200 '),
          () => false,
        );
      await until(answers, 'answer of the component', AbortSignal.timeout(120_000));
      t.match(await service('status'), { code: 0, text: 'wasmtime hello is running' });
      t.match(await service('restart'), {
        code: 0,
        text: /Stopping wasmtime hello: OK\n.*Starting wasmtime hello: OK/,
      });
      await until(answers, 'answer after a restart', AbortSignal.timeout(120_000));
      t.match(await service('stop'), { code: 0, text: 'Stopping wasmtime hello: OK' });
      t.match(await service('status'), { code: 1 });
      t.match(await service('dance'), { code: 1, text: /Usage/ });
    },
  );

  t.test('systemd understands the unit of that service', { skip: noBoard || unless('systemd-analyze') }, async (t) => {
    await fs.mkdir('/run/systemd/system', { recursive: true });
    const unit = '/run/systemd/system/wasmtime@hello.service';
    await fs.copyFile(path.join(tree, 'package/wasmtime/wasmtime@.service'), unit);
    const { code, text } = await tell('systemd-analyze', 'verify', '--man=no', unit);
    t.same({ code, ours: text.split('\n').filter((line) => line.includes('wasmtime@')) }, { code: 0, ours: [] });
  });
});
