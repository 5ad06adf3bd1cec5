import { readFile } from 'node:fs/promises';
import { availableParallelism, hostname } from 'node:os';
import { problemsOf } from '../../worker/contract/check.ts';
import { nodeFields } from '../../worker/contract/registration.ts';
import { fact } from './world/fact.ts';
import { inLab } from './world/sandbox.ts';
import type { World } from './world/world.ts';

/** The worker's first registration. */
const registration = async (world: World): Promise<Record<string, unknown>> => {
  await world.startNodeEngine();
  return world.cluster.until('a registration', () => world.cluster.registrations[0]);
};

const megabyte = 1024;

inLab(import.meta.url, (folder) => {
  fact(folder, '1.1', { in: 'dialects', runs: true }, async (t, world) => {
    t.same(problemsOf(nodeFields(world.variant.dialect), await registration(world)), []);
    t.match(world.cluster.messages[0], { topic: 'POST /api/node/register' });
  });

  fact(folder, '1.2', { in: 'dialects', runs: true }, async (t, world) => {
    t.match(await registration(world), {
      id: '',
      host: hostname(),
      ip: world.board.v4,
      port: '3000',
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      system_info: {},
      disk_info: {},
      network_info: {},
      gpu_driver: '-',
      supported_addons: [],
    });
  });

  fact(folder, '1.3', { in: 'once', runs: true }, async (t, world) => {
    await world.worker();
    t.ok(world.cluster.connections.includes(`${world.cluster.id}-ne`));
  });

  fact(folder, '1.4', { in: 'dialects', runs: true }, async (t, world) => {
    const fields = await registration(world);
    const kilobytes = (key: string, text: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
    const meminfo = await readFile('/proc/meminfo', 'utf8');
    const available = kilobytes('MemAvailable', meminfo) / megabyte;
    const total = kilobytes('MemTotal', meminfo) / megabyte;
    const newer = world.variant.dialect === '403';
    const near = (value: unknown, expected: number, range: number, what: string) =>
      t.ok(Math.abs(Number(value) - expected) <= range, `${what}: ${value}, about ${expected}`);
    near(fields[newer ? 'memory' : 'memory_free_in_MB'], available, total / 10, 'available memory in MB');
    near(fields[newer ? 'memory_percent' : 'memory'], 100 * (1 - available / total), 10, 'used memory in percent');
    t.equal(fields[newer ? 'vcpus' : 'free_cores'], availableParallelism());
    if (newer) t.ok(Number(fields['cpu_percent']) <= 100, 'a share of all cores');
  });

  fact(folder, '1.5', { in: 'dialects', runs: true }, async (t, world) => {
    const key = world.variant.dialect === '403' ? 'virtualization' : 'technology';
    await world.worker();
    t.match(world.cluster.registrations[0]?.[key], ['wasm']);
    const later = await world.cluster.until('information', () => world.cluster.heard('information')[1]);
    t.match(later[key], ['wasm']);
  });

  fact(folder, '1.6', { in: 'once', runs: true }, async (t, world) => {
    const { cluster, startNodeEngine } = world;
    const engine = await startNodeEngine();
    const first = await cluster.until('a registration', () => cluster.registrations[0]);
    await engine.end('SIGKILL');
    await startNodeEngine();
    const second = await cluster.until('a second registration', () => cluster.registrations[1]);
    t.equal(second['host'], first['host']);
  });
});
