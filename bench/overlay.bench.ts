import fs from 'node:fs/promises';
import path from 'node:path';
import { fileEntry } from '../lab/image/entries.ts';
import { labFolder } from '../lab/machine/deterministic/layout.ts';
import { machineKind } from '../lab/machine/machines.ts';
import { bundleProgram } from '../lab/scenario/deterministic/bundle.ts';
import { hostMachine } from '../lab/system/elf.ts';
import type { TreeEntry } from '../lab/system/packages/deb.ts';
import { openRun } from '../lab/system/runs.ts';
import { deadline } from '../lab/system/wait.ts';
import { helloApp } from '../lab/wasm/app.ts';
import { compileAhead } from '../lab/wasm/compile.ts';
import { provideWasmtime } from '../lab/wasm/wasmtime.ts';
import { parseJson } from '../worker/contract/check.ts';
import { atMost, type Bench, type Figure } from './figure.ts';
import { type Costs, files, OverlayRecord, type Size, type Way } from './inside/overlay/records.ts';

/** The guest has the whole of both nodes' work to do, on one emulated processor. */
const guestMs = 90 * 60_000;

const kind = machineKind('virt');

const inside = (file: string): string => path.join(import.meta.dirname, 'inside/overlay', file);

/** What the guest has beside the quick image: the bench's two programs, and a service that is compiled already. */
const entries = async (signal: AbortSignal): Promise<readonly TreeEntry[]> => {
  const { version } = await provideWasmtime(kind.architecture, undefined, signal);
  const compiler = await provideWasmtime(hostMachine(), version, signal);
  const service = await compileAhead(await helloApp(), compiler, kind.architecture, signal);
  const contents = {
    [`${labFolder}/lab.cjs`]: await bundleProgram(inside('main.ts')),
    [files.client]: await bundleProgram(inside('client.ts')),
    [files.service]: await fs.readFile(service),
  };
  return Object.entries(contents).map(([file, content]) => fileEntry(file.slice(1), content));
};

/** What each way costs, in the order of measuring. */
type Measured = readonly (readonly [way: Way, costs: Costs])[];

const plural = (count: number, word: string): string =>
  `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`;

const named = (way: Way): string =>
  typeof way === 'string' ? way : `overlay, ${plural(way.services, 'service')}, ${plural(way.peers, 'peer')}`;

/** What is measured, and what the overlay may cost against another way. */
const measures = [
  { key: 'request', what: 'request', against: 'VXLAN', limit: 1.03 },
  { key: 'connect', what: 'connection with a request', against: 'bare', limit: 1.2 },
  { key: 'megabyte', what: 'megabyte', against: 'VXLAN', limit: 1.05 },
] as const;
const moreServices = 1.01;

/** The figures of all ways: each overlay's against the other way, and those with more services against one. */
export const figuresOf = (measured: Measured): readonly Figure[] => {
  const costsOf = (is: (way: Way) => boolean) => measured.find(([way]) => is(way))?.[1];
  const overlays = measured.filter((each): each is [Size, Costs] => typeof each[0] !== 'string');
  const [first] = overlays;
  return measures.flatMap(({ key, what, against, limit }) => {
    const other = costsOf((way) => way === against)?.[key] ?? Number.NaN;
    const ratio = (name: string, [way, costs]: readonly [Size, Costs], base: number, most: number) =>
      atMost(`${what} against ${name}: ${named(way)}`, costs[key] / base, 'x', most);
    return [
      ...measured.map(([way, costs]) => ({ what: `${what}: ${named(way)}`, value: costs[key], unit: 'instructions' })),
      ...overlays.map((each) => ratio(against, each, other, limit)),
      ...overlays
        .filter(([{ services, peers }]) => services > 1 && peers === first?.[0].peers)
        .map((each) => ratio('one service', each, first?.[1][key] ?? Number.NaN, moreServices)),
    ];
  });
};

const bench: Bench = {
  name: 'overlay',
  about: 'instructions for a request, a connection and a megabyte from an instance on one node to one on another',
  run: async (say, signal) => {
    await using run = await openRun('the bench of the overlay');
    const guest = await kind.prepareCounted?.({}, await entries(signal), run.folder, () => {}, signal);
    if (guest === undefined) throw new Error(`${kind.name} cannot count instructions`);
    const measured: [Way, Costs][] = [];
    let trouble: string | undefined;
    const take = (text: string): boolean => {
      const record = parseJson(OverlayRecord, text, 'what the guest wrote');
      if ('say' in record) say(record.say);
      else if ('way' in record) {
        measured.push([record.way, record.costs]);
        say(`${named(record.way)}: ${JSON.stringify(record.costs)}`);
      } else if ('error' in record) trouble = record.error;
      return 'ended' in record;
    };
    await guest.run(1, run, take, deadline(guestMs, 'the guest', signal));
    if (trouble !== undefined) throw new Error(`${trouble}\n${await guest.consoleText(run.folder)}`);
    const figures = figuresOf(measured);
    return figures;
  },
};

export default bench;
