import { stripVTControlCharacters } from 'node:util';

/** A step of one package, as Buildroot announces it. */
export type PackageStep = { readonly package: string; readonly step: string };

/**
 * The step that a line of Buildroot's output announces (`>>> PACKAGE VERSION Step`, in reverse video), if it does.
 * Lines without a package are steps of the whole image.
 */
export const parseStep = (line: string): PackageStep | undefined => {
  const match = /^>>> (\S*) (\S*) ?(\S.*)$/.exec(stripVTControlCharacters(line).trimEnd());
  if (!match) return undefined;
  const [, name = '', , step = ''] = match;
  return { package: name === '' ? 'image' : name, step };
};

/** The command or target that a line of make's output says has failed. */
export const parseFailure = (line: string): string | undefined => /^make(?:\[\d+\])?: \*\*\* (.*)$/.exec(line)?.[1];

const keptLines = 25;

/** Follows a build by its output: where it is, how far, and what it said last. */
export class BuildProgress {
  readonly #total: number;
  readonly #seen = new Set<string>();
  readonly #last: string[] = [];
  #at: PackageStep = { package: 'image', step: 'Configuring' };
  #failure: string | undefined;

  /** `total` is the number of packages that the configuration has. */
  constructor(total: number) {
    this.#total = total;
  }

  /** Takes a line; returns what to say when it begins another step. */
  take(line: string): string | undefined {
    this.#failure ??= parseFailure(line);
    const step = parseStep(line);
    if (!step) {
      this.#last.push(line);
      if (this.#last.length > keptLines) this.#last.shift();
      return undefined;
    }
    if (step.package !== this.#at.package) this.#last.length = 0;
    this.#at = step;
    if (step.package === 'image') return step.step;
    this.#seen.add(step.package);
    return `${this.#seen.size}/${this.#total} ${step.package}: ${step.step}`;
  }

  /** The package that the lines taken last belong to. */
  get package(): string {
    return this.#at.package;
  }

  /** Where it failed, with the failing command and the last lines before it. */
  failure(): string {
    const { package: name, step } = this.#at;
    return [`${name} failed at '${step}': ${this.#failure ?? 'make said no more'}`, ...this.#last].join('\n');
  }
}
