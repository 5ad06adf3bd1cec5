import type { Machine } from '../../../lab/machine/machine.ts';
import type { SegmentPort } from '../../../lab/machine/segment/segment.ts';
import { labFault } from '../../../lab/system/errors.ts';
import { deployedMessage, joinAsWorker } from '../cluster/fake-worker.ts';
import { askedBoard } from './asked-board.ts';

/** A board whose worker is a stand-in that takes every deployment and says what a worker says. */
export type WorkingBoard = Machine & {
  /** What was written to it, by file. */
  readonly files: ReadonlyMap<string, string>;
  readonly ran: readonly string[];
  /** Ends it, as a crash does. */
  readonly crash: () => void;
};

type Job = { readonly job_name: string; readonly instance_number: number };

/** Registers as `host`, and answers deployments as a worker does until `stack` is disposed of. */
const work = async (conf: string, net: string, host: string, nsip: string, stack: AsyncDisposableStack) => {
  const { cluster_port: registrationPort } = JSON.parse(conf) as { cluster_port: number };
  const { ClusterMqttPort, NodePublicAddress: host_ip } = JSON.parse(net) as Record<string, string>;
  const ports = { registrationPort, brokerPort: Number(ClusterMqttPort) };
  const { manager, engine, netTopic, engineTopic } = await joinAsWorker(ports, stack, host);
  const say = (job: Job, status: string) =>
    engine.send(engineTopic.job, {
      ...{ sname: job.job_name, status, status_detail: '', instance: job.instance_number, publicip: '' },
    });
  const each = async (topic: string, answer: (job: Job) => Promise<unknown>) => {
    for (;;) await answer((await engine.next(topic)) as Job);
  };
  void each(engineTopic.deploy, async (job) => {
    const named = { appname: job.job_name, instance_number: job.instance_number };
    await manager.send(netTopic.serviceDeployed, { ...deployedMessage, ...named, nsip, host_ip });
    await say(job, 'CREATED');
  }).catch(() => {});
  void each(engineTopic.delete, (job) => say(job, 'UNDEPLOYED')).catch(() => {});
};

/** A {@link WorkingBoard}; of several, with its place on their segment. */
export const workingBoard = (port?: SegmentPort): WorkingBoard => {
  const stack = new AsyncDisposableStack();
  const lost = new AbortController();
  const files = new Map<string, string>();
  const ran: string[] = [];
  const quiet = askedBoard([], []);
  let host = 'board';
  return {
    ...quiet,
    files,
    ran,
    wasmtimeVersion: '/nowhere/wasmtime',
    lost: lost.signal,
    logs: [{ name: 'console', read: async () => `the console of ${host}\n` }],
    exec: async (argv, options) => {
      lost.signal.throwIfAborted();
      ran.push(argv.join(' '));
      // how it is given its name on the segment
      if (argv.includes(port?.mac ?? 'none')) host = argv.at(-1) ?? host;
      if (argv[0]?.endsWith('nodeengine')) {
        const [conf = '', net = ''] = ['conf.json', 'netmanager/netcfg.json'].map((name) =>
          files.get(`/etc/oakestra/${name}`),
        );
        await work(
          conf,
          net,
          host,
          port === undefined ? '10.10.0.2' : `10.10.0.${port.mac.endsWith('0b') ? 2 : 66}`,
          stack,
        );
      }
      return await quiet.exec(argv, options);
    },
    writeFile: async (file, content) => {
      files.set(file, content.toString());
    },
    crash: () => lost.abort(labFault('the emulator was ended by SIGKILL')),
    [Symbol.asyncDispose]: async () => {
      lost.abort(new Error('it was switched off'));
      await stack.disposeAsync();
    },
  };
};
