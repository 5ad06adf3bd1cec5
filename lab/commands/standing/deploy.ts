import { randomUUID } from 'node:crypto';
import fs from 'node:fs/promises';
import path from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { plain } from '../../report/formats/wording.ts';
import { bytesInWords, shownBodyBytes } from '../../report/model/text.ts';
import type { Answer } from '../../scenario/targets/answer.ts';
import { getOverHttp } from '../../scenario/targets/get.ts';
import { ask } from '../../standing/channel.ts';
import { openLab, statusOf } from '../../standing/client.ts';
import { shortName } from '../../standing/names.ts';
import type { Answers } from '../../standing/protocol.ts';
import type { LabRecord } from '../../standing/registry.ts';
import { LabError, usageFault } from '../../system/errors.ts';
import { writeAtomically } from '../../system/files/cache.ts';
import { deadline } from '../../system/wait.ts';
import { type App, openApp } from '../../wasm/app.ts';
import { type CommandContext, printJson, wholeNumber } from '../context.ts';
import { describeTrouble } from '../trouble.ts';
import { changesOf } from './changes.ts';

const responseMs = 60_000;

type DeployFlags = {
  readonly lab?: string;
  readonly name?: string;
  readonly port?: string;
  readonly env: readonly string[];
  readonly memory?: number;
  readonly replicas: number;
  readonly watch: boolean;
  readonly json: boolean;
};

/** A deployment that answers, with its first response where it has an address. */
type Outcome = Answers['deploy'] & { readonly first?: Answer };

/** Hands a component over, deploys it, and asks it once. Throws, blaming the product, when it does not answer rightly. */
const deployOnce = async (
  { folder }: LabRecord,
  app: App,
  service: string,
  flags: DeployFlags,
  signal: AbortSignal,
): Promise<Outcome> => {
  const file = `${randomUUID()}.wasm`;
  await writeAtomically(path.join(folder, file), app.bytes, 0o600);
  const { port, env, memory, replicas } = flags;
  const deployed = await ask(
    folder,
    {
      do: 'deploy',
      service,
      component: { name: app.name, file, sha256: app.sha256 },
      environment: [...env],
      replicas,
      ...(port === undefined ? {} : { port }),
      ...(memory === undefined ? {} : { memory }),
    },
    signal,
  ).finally(() => fs.rm(path.join(folder, file), { force: true }));
  if (deployed.address === undefined) return deployed;
  const first = await getOverHttp(deployed.address, deadline(responseMs, 'the first response', signal)).catch(
    (error: unknown) => {
      signal.throwIfAborted();
      throw new LabError(`${service} was deployed, but ${deployed.address} does not answer`, {
        fault: 'product',
        next: [`npm run lab -- logs ${service}`],
        cause: error,
      });
    },
  );
  return { ...deployed, first };
};

const print = ({ service, address, ports, replaced, tookMs, notes, first }: Outcome, json: boolean): void => {
  if (json) {
    const { status, headers, bytes } = first ?? {};
    const response = bytes && { status, headers, body: bytesInWords(bytes, shownBodyBytes), bytes: bytes.length };
    printJson({ service, address, ports, replaced, tookMs, notes, ...(response ? { response } : {}) });
    return;
  }
  for (const note of notes) process.stderr.write(`${plain(note)}\n`);
  const seconds = (tookMs / 1000).toFixed(2);
  process.stdout.write(`${service} ${replaced ? 'replaced' : 'deployed'} in ${seconds} s, ports ${ports}\n`);
  if (address !== undefined) process.stdout.write(`${address}\n`);
  if (first === undefined) return;
  const body = bytesInWords(first.bytes, shownBodyBytes).trimEnd();
  process.stdout.write(`${first.status}, ${first.bytes.length} bytes${body === '' ? '' : `: ${plain(body)}`}\n`);
};

/** A status of the 500s is what wasmtime answers with for a component that failed. */
const refuseFailing = ({ service, first }: Outcome): void => {
  if (first === undefined || first.status < 500) return;
  throw new LabError(`${service} was deployed, but its first response has the status ${first.status}`, {
    fault: 'product',
    conclusive: true,
    next: [`npm run lab -- logs ${service}`],
  });
};

/** Deploys a file again whenever it has changed; what fails is said, and waits for the next change. */
const watch = async (file: string, deployAgain: () => Promise<void>, signal: AbortSignal): Promise<void> => {
  for await (const _ of changesOf(file, signal))
    await deployAgain().catch((error: unknown) => {
      if (signal.aborted || !(error instanceof LabError) || error.fault === 'lab') throw error;
      process.stderr.write(describeTrouble(error));
    });
};

const deploy = async (file: string, flags: DeployFlags, { signal }: CommandContext): Promise<void> => {
  if (flags.watch && flags.json) throw usageFault('--watch and --json exclude each other: leave out one');
  const service = flags.name ?? path.basename(file, path.extname(file));
  if (shortName(service) === '') throw usageFault(`'${service}' cannot name a service: add --name NAME`);
  let last: string | undefined;
  const deployFile = async () => {
    const app = await openApp(file);
    if (app.sha256 === last) return;
    last = app.sha256;
    const lab = await openLab(flags.lab);
    await statusOf(lab, signal);
    const outcome = await deployOnce(lab, app, service, flags, signal);
    print(outcome, flags.json);
    refuseFailing(outcome);
  };
  if (!flags.watch) return deployFile();
  process.stderr.write(`watching ${file}: Ctrl-C ends that, and the lab stands on\n`);
  await watch(file, deployFile, signal);
};

const variable = (text: string, all: readonly string[]): readonly string[] => {
  if (/^[^=\0]+=[^\0]*$/.test(text)) return [...all, text];
  throw new InvalidArgumentError('It takes NAME=VALUE.');
};

export const addDeployCommand = (program: Command, context: CommandContext): void => {
  program
    .command('deploy')
    .description('deploy a component into a standing lab, and print its address and its first response')
    .argument('<file>', 'a wasi:http component; deployed again, it replaces the one before')
    .option('--lab <name>', 'which lab (default: the only one)')
    .option('--name <service>', "the service's name (default: the file's)")
    .option('--port <mappings>', 'ports of the board and of the service, as 8080:80 (default: a free one to 80)')
    .option('--env <name=value>', 'a variable of its environment, may be repeated', variable, [])
    .option('--memory <mb>', 'limit of its memory in MB', wholeNumber(1, 1_048_576))
    .option('--replicas <n>', 'how many instances share its ports', wholeNumber(1, 50), 1)
    .option('--watch', 'deploy it again whenever the file has changed', false)
    .option('--json', 'the outcome as one JSON document on stdout', false)
    .addHelpText(
      'after',
      `
Exit codes: 0 it answers, 1 it cannot be deployed or fails, 3 the lab failed, 64 usage or no such component.

Examples:
  npm run lab -- deploy ./my-service.wasm
  npm run lab -- deploy ./my-service.wasm --port 8080:80 --env GREETING=hello --memory 64 --replicas 2
  npm run lab -- deploy target/wasm32-wasip2/debug/my_service.wasm --watch`,
    )
    .action((file: string, flags: DeployFlags) => deploy(file, flags, context));
};
