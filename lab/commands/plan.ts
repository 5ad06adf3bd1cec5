import fs from 'node:fs/promises';
import path from 'node:path';
import { Argument, type Command } from 'commander';
import { execa } from 'execa';
import { buildWorker } from '../image/worker-bundle.ts';
import { labFault } from '../system/errors.ts';
import { openRun } from '../system/runs.ts';
import type { CommandContext } from './context.ts';

const request = { serviceName: 'lab.test.hello.test', instanceNumber: 0, portMappings: '8080:80' };
const config = { NodePublicAddress: '0.0.0.0', NodePublicPort: '50103', ClusterMqttPort: '10003' };

/** Prints the commands that NetManager would run for one instance, as NetManager itself plans them. Runs nothing. */
const plan = async (topology: string, { ports }: { readonly ports: string }, { signal }: CommandContext) => {
  await using run = await openRun('plan');
  const { folder } = run;
  await buildWorker(folder);
  await fs.writeFile(path.join(folder, 'netcfg.json'), JSON.stringify({ ...config, WasmTopology: topology }));
  const planned = JSON.stringify({ ...request, portMappings: ports });
  const places = ['--config', folder, '--state', path.join(folder, 'state')];
  const { exitCode, stdout, stderr } = await execa(
    process.execPath,
    [path.join(folder, 'net-manager.cjs'), ...places, '--plan', planned],
    { reject: false, cancelSignal: signal },
  );
  if (exitCode !== 0) throw labFault(stderr.trim());
  process.stdout.write(`${stdout}\n`);
};

export const addPlanCommand = (program: Command, context: CommandContext): void => {
  program
    .command('plan')
    .description('print the commands that make the network of one instance, and run nothing')
    .addArgument(new Argument('<topology>', 'how instances are joined to the board').choices(['bridged', 'veth']))
    .option('--ports <mappings>', 'ports as a deployment maps them', request.portMappings)
    .addHelpText('after', '\nExamples:\n  npm run lab -- plan bridged\n  npm run lab -- plan veth --ports 8080:80/tcp')
    .action((topology: string, flags: { readonly ports: string }) => plan(topology, flags, context));
};
