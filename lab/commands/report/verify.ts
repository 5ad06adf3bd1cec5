import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bootSources, imageKinds, type MachineOptions } from '../../machine/kind.ts';
import { machineKind } from '../../machine/machines.ts';
import { checkedInputs, type InputCheck } from '../../report/compare/checked-inputs.ts';
import type { Input, Results } from '../../report/model/results.ts';
import { readResults } from '../../report/read.ts';
import { exitCodes, messageOf } from '../../system/errors.ts';
import { fileDigest } from '../../system/files/digest.ts';
import { type CommandContext, printJson } from '../context.ts';
import { keptComponent } from '../repeatable.ts';

const fixtures = fileURLToPath(new URL('../../../fixtures/', import.meta.url));

/** What a report says of the machine's options; a wasmtime by path is no file of a report. */
const machineOptions = ({ options }: Results): MachineOptions => {
  const { image, boot, wasmtime, qemu } = options;
  return {
    image: imageKinds.find((kind) => kind === image),
    boot: bootSources.find((source) => source === boot),
    ...(typeof wasmtime === 'string' ? { wasmtime } : {}),
    ...(typeof qemu === 'string' ? { qemu } : {}),
  };
};

/** The components of the lab's own, and the one in the report's folder, by digest. */
const components = async (results: Results, report: string): Promise<readonly Input[]> => {
  const own = (await fs.readdir(fixtures)).map((name) => [`${name}.wasm`, `${fixtures}${name}/${name}.wasm`] as const);
  const kept = keptComponent(results, report);
  const used = new Set(results.inputs.map(({ version }) => version));
  const found = own.filter(([version]) => kept === undefined && used.has(version));
  const files =
    kept === undefined
      ? found
      : [[results.inputs.find(({ name }) => name === 'component')?.version ?? '', kept] as const];
  const digests = await Promise.allSettled(
    files.map(async ([version, file]) => ({ name: 'component', version, sha256: await fileDigest(file) })),
  );
  return digests.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
};

/** What the machine would be made of now. Makes it where it is not in the cache. */
const machineInputs = async (results: Results, signal: AbortSignal): Promise<readonly Input[]> => {
  const kind = machineKind(results.machine.name);
  const { inputs } = await kind.prepare(machineOptions(results), (text) => process.stderr.write(`${text}\n`), signal);
  // the image of a counted guest holds the lab's half too, which is made with the run
  return results.options['deterministic'] ? inputs.filter(({ name }) => !/^(image|layer system)$/.test(name)) : inputs;
};

const line = ({ name, version, recorded, here }: InputCheck): string => {
  const about = `${name}${version === undefined ? '' : ` ${version}`}`;
  if (here === undefined) return `? ${about}: cannot be recomputed here\n`;
  return here === recorded
    ? `✓ ${about}\n`
    : `✗ ${about}: ${recorded.slice(0, 12)} in the report, ${here.slice(0, 12)} here\n`;
};

/**
 * Recomputes the digests that a report names and says of each whether it is the same here. Exits with 0 when all that
 * could be recomputed are, 1 when one differs, 2 when none could.
 */
export const verify = async (report: string, asJson: boolean, { signal, exit }: CommandContext): Promise<void> => {
  const results = await readResults(report);
  const troubles: string[] = [];
  const machine = await machineInputs(results, signal).catch((error: unknown) => {
    signal.throwIfAborted();
    troubles.push(`${results.machine.name} cannot be prepared here: ${messageOf(error)}`);
    return [];
  });
  const checks = checkedInputs(results.inputs, [...(await components(results, report)), ...machine]);
  if (asJson) printJson({ inputs: checks, troubles });
  else process.stdout.write([...checks.map(line), ...troubles.map((text) => `${text}\n`)].join(''));
  const done = checks.filter(({ here }) => here !== undefined);
  const differ = done.some(({ recorded, here }) => recorded !== here);
  exit(differ ? exitCodes.failed : done.length === 0 ? exitCodes.incomplete : exitCodes.passed);
};
