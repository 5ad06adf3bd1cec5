import path from 'node:path';
import { bootSources, imageKinds, type MachineOptions } from '../../machine/kind.ts';
import { machineKind } from '../../machine/machines.ts';
import { checkedInputs, type InputCheck } from '../../report/compare/checked-inputs.ts';
import { verdictSigns } from '../../report/formats/verdict.ts';
import type { Input, Results } from '../../report/model/results.ts';
import { readResults } from '../../report/read.ts';
import { exitCodes, messageOf } from '../../system/errors.ts';
import { fileDigest } from '../../system/files/digest.ts';
import { fixtureApp } from '../../wasm/app.ts';
import { type CommandContext, printJson } from '../context.ts';
import { keptComponent } from '../repeatable.ts';

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

/** The components that the report names: the one in its folder, or the lab's own. One that is not there is left out. */
const components = async ({ inputs, run }: Results, report: string): Promise<readonly Input[]> => {
  const kept = keptComponent({ run }, report);
  const digestOf = async (file: string): Promise<string> =>
    kept === undefined ? (await fixtureApp(path.basename(file, '.wasm'))).sha256 : await fileDigest(kept);
  const found = await Promise.allSettled(
    inputs
      .filter(({ name }) => name === 'component')
      .map(async ({ name, version = '' }) => ({ name, version, sha256: await digestOf(version) })),
  );
  return found.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
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
    ? `${verdictSigns.passed} ${about}\n`
    : `${verdictSigns.failed} ${about}: ${recorded.slice(0, 12)} in the report, ${here.slice(0, 12)} here\n`;
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
