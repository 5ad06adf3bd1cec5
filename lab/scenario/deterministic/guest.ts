/** The lab's half of a deterministic run: it runs in the guest, beside the board. */
import fs from 'node:fs';
import { parseJson } from '../../../worker/contract/check.ts';
import { bootInstructions, guestMachine } from '../../machine/deterministic/guest.ts';
import { labFolder } from '../../machine/deterministic/layout.ts';
import { recordMark } from '../../machine/deterministic/records.ts';
import type { MachineKind } from '../../machine/kind.ts';
import { networkCapabilities } from '../../machine/machine.ts';
import { instructionsMetric } from '../../report/model/counted.ts';
import { LabError, messageOf } from '../../system/errors.ts';
import { sha256 } from '../../system/files/digest.ts';
import type { RunFolder } from '../../system/runs.ts';
import { runScenario } from '../run/run.ts';
import type { Scenario } from '../scenario.ts';
import { GuestPlan, type GuestRecord, planFile } from './records.ts';

/** A guest is thrown away with everything in it. */
const openRun = async (what: string): Promise<RunFolder> => ({
  id: what,
  folder: labFolder,
  env: {},
  lock: 0,
  keep: async () => {},
  [Symbol.asyncDispose]: async () => {},
});

const buffer = (base64: string | undefined) => (base64 === undefined ? {} : { body: Buffer.from(base64, 'base64') });

/** Runs a scenario on the board that this process runs on, and writes what happens as records to the file `line`. */
const runOnBoard = async (scenario: Scenario, write: (record: GuestRecord) => void): Promise<void> => {
  const plan = parseJson(GuestPlan, fs.readFileSync(planFile, 'utf8'), planFile);
  const bytes = fs.readFileSync(plan.app.file);
  const app = { name: plan.app.name, bytes, sha256: sha256(bytes) };
  const { name, expectedAnswer } = plan;
  const kind: MachineKind = {
    ...{ name: plan.machine, description: 'a guest of QEMU whose instructions are counted', requires: [] },
    ...{ architecture: 'aarch64', fidelity: 'counted', capabilities: new Set(networkCapabilities) },
    prepare: async () => ({
      unlocked: [],
      inputs: [],
      start: async () => guestMachine(plan.machine, plan.wasmtimeVersion, new Set([app.sha256])),
    }),
  };
  const waiting: GuestRecord[] = [];
  const { results, files } = await runScenario({
    ...{ name, command: [], scenario, kind, app, machine: {}, keep: false, openRun },
    ...(plan.until === undefined ? {} : { until: plan.until }),
    expectedAnswer: {
      path: expectedAnswer.path,
      status: expectedAnswer.status,
      anyBody: expectedAnswer.anyBody,
      ...buffer(expectedAnswer.body),
    },
    load: { connections: 1, duration: 1 },
    signal: new AbortController().signal,
    onEvent: (event) => {
      const { ms: _, ...said } = event;
      waiting.push({ ns: Number(process.hrtime.bigint()), event: said });
      // while something is counted nothing is written: that would be counted as well
      if (/^(run|step)-/.test(event.kind)) for (const record of waiting.splice(0)) write(record);
    },
  });
  const boot = instructionsMetric('boot', 'board', bootInstructions());
  write({
    results: { ...results, options: {}, metrics: [boot, ...(results.metrics ?? [])] },
    files: files.map((file) => ({ name: file.name, content: Buffer.from(file.content).toString('base64') })),
  });
};

/** Runs a scenario in the guest; the path of the line that records leave on is the program's first argument. */
export const runInGuest = async (scenario: Scenario): Promise<void> => {
  const line = fs.openSync(process.argv[2] ?? '', fs.constants.O_WRONLY | fs.constants.O_NOCTTY);
  const write = (record: GuestRecord) => fs.writeFileSync(line, `${recordMark}${JSON.stringify(record)}\n`);
  try {
    await runOnBoard(scenario, write);
  } catch (error) {
    const { fault, next } = error instanceof LabError ? error : { fault: undefined, next: [] };
    write({ error: messageOf(error), ...(fault === undefined ? {} : { fault }), next: [...next] });
  }
  process.exit();
};
