import path from 'node:path';
import type { Command } from 'commander';
import type { ExtraFile } from '../report/folder.ts';
import type { Results } from '../report/model/results.ts';
import type { App } from '../wasm/app.ts';

/** What a command line says that has no say in what is run: where its report goes, and what becomes of the machine. */
const besides: readonly string[] = ['keep', 'reports', 'json'];

/** The files that a report holds, by the options that name them. */
const kept = { app: '--app', body: '--expect-body-file' } as const;
const bodyFile = 'expected-body';

/** The options that were typed, as words; those with one of the keys `without` are left out. */
export const typedOptions = (command: Command, without: readonly string[]): readonly string[] =>
  command.options.flatMap((option) => {
    const key = option.attributeName();
    if (without.includes(key) || command.getOptionValueSource(key) !== 'cli') return [];
    const value: unknown = command.getOptionValue(key);
    return [option.long ?? '', ...(typeof value === 'boolean' ? [] : [String(value)])];
  });

type Typed = {
  readonly command: Command;
  /** The component that the user named. */
  readonly app?: App | undefined;
  /** The answer that is in a file that the user named. */
  readonly body?: Uint8Array | undefined;
};

/** Makes a run repeatable from its report alone: adds its command line, and the files that this names. */
export const repeatable = (
  results: Results,
  name: string,
  { command, app, body }: Typed,
): { readonly results: Results; readonly files: readonly ExtraFile[] } => {
  const words = [
    ...['scenario', name, ...typedOptions(command, [...besides, 'app', 'expectBodyFile'])],
    ...(app === undefined ? [] : [kept.app, app.name]),
    ...(body === undefined ? [] : [kept.body, bodyFile]),
  ];
  return {
    results: { ...results, run: { ...results.run, command: words } },
    files: [
      ...(app === undefined ? [] : [{ name: app.name, content: app.bytes }]),
      ...(body === undefined ? [] : [{ name: bodyFile, content: body }]),
    ],
  };
};

/** The component that lies in a report's folder, as its path; undefined where the lab's own was deployed. */
export const keptComponent = ({ run }: Pick<Results, 'run'>, folder: string): string | undefined => {
  const at = run.command?.indexOf(kept.app) ?? -1;
  const name = at < 0 ? undefined : run.command?.[at + 1];
  return name === undefined ? undefined : path.join(folder, path.basename(name));
};

/** The command line that repeats a run, with the files of its report in `folder`; undefined where it was not recorded. */
export const commandToRepeat = ({ run }: Results, folder: string): readonly string[] | undefined =>
  run.command?.map((word, at) => {
    const option: unknown = run.command?.[at - 1];
    return option === kept.app || option === kept.body ? path.join(folder, path.basename(word)) : word;
  });
