import fs from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { fileEntry, folderTree } from '../../image/entries.ts';
import { labFolder } from '../../machine/deterministic/layout.ts';
import type { MachineKind, MachineOptions } from '../../machine/kind.ts';
import { hostMachine } from '../../system/elf.ts';
import type { TreeEntry } from '../../system/packages/deb.ts';
import type { App } from '../../wasm/app.ts';
import { compileAhead, precompiledPath } from '../../wasm/compile.ts';
import { provideWasmtime } from '../../wasm/wasmtime.ts';
import type { FoundScenario } from '../find.ts';
import { clientFile } from '../services/counted-loads.ts';
import { type ExpectedAnswer, usualAnswer } from '../targets/answer.ts';
import { bundleClient, bundleLab } from './bundle.ts';
import { type GuestPlan, planFile } from './records.ts';

const fixtures = fileURLToPath(new URL('../../../fixtures/', import.meta.url));

/** What a guest is to run. */
export type CountedTask = {
  readonly found: FoundScenario;
  readonly kind: MachineKind;
  readonly machine: MachineOptions;
  readonly app: App;
  /** What it has to answer; the usual answer when left out. */
  readonly expectedAnswer: ExpectedAnswer | undefined;
  readonly until: string | undefined;
};

const at = (file: string, content: string | Buffer): TreeEntry => fileEntry(file.slice(1), content);

/** The components that scenarios may deploy besides the one under test. */
const components = async (): Promise<readonly TreeEntry[]> =>
  (await folderTree(fixtures, `${labFolder.slice(1)}/fixtures`)).filter(({ path }) => path.endsWith('.wasm'));

/** The lab's half as files for a guest: the scenario with all that it imports, the client, and the components. */
export const labEntries = async (task: CountedTask, signal: AbortSignal): Promise<readonly TreeEntry[]> => {
  const { found, kind, machine, app, expectedAnswer, until } = task;
  const version = (await provideWasmtime(kind.architecture, machine.wasmtime, signal)).version;
  const compiler = await provideWasmtime(hostMachine(), version, signal);
  const [compiled, lab, client] = await Promise.all([
    compileAhead(app, compiler, kind.architecture, signal),
    bundleLab(found.file),
    bundleClient(),
  ]);
  const component = `${labFolder}/component.wasm`;
  const { path, status, anyBody, body } = expectedAnswer ?? usualAnswer(app);
  const plan: GuestPlan = {
    ...{ name: found.name, machine: kind.name, wasmtimeVersion: version },
    app: { name: app.name, file: component },
    expectedAnswer: {
      path,
      status,
      anyBody,
      ...(body === undefined ? {} : { body: Buffer.from(body).toString('base64') }),
    },
    ...(until === undefined ? {} : { until }),
  };
  return [
    at(`${labFolder}/lab.cjs`, lab),
    at(clientFile, client),
    at(planFile, JSON.stringify(plan)),
    at(component, Buffer.from(app.bytes)),
    at(precompiledPath(app, version, kind.architecture), await fs.readFile(compiled)),
    ...(await components()),
  ];
};
