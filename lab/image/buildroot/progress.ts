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

/** What packages cost, where one like most of them is 1: measured with Buildroot 2026.02.3. */
const costs: Readonly<Record<string, number>> = { linux: 100, libcurl: 10, busybox: 8 };
const costOf = (names: Iterable<string>): number => [...names].reduce((sum, name) => sum + (costs[name] ?? 1), 0);

// a guess from less than this share of the work would jump about
const minShare = 0.05;

/** The minutes that are left, when `done` of the packages `all` took `ms`; undefined when that is too early to say. */
export const minutesLeft = (all: readonly string[], done: Iterable<string>, ms: number): number | undefined => {
  const share = costOf(done) / costOf(all);
  return share >= minShare && share <= 1 ? Math.ceil((ms * (1 - share)) / share / 60_000) : undefined;
};

const keptLines = 25;

/** Follows a build by its output: where it is, how far, and what it said last. */
export class BuildProgress {
  readonly #packages: readonly string[];
  readonly #seen = new Set<string>();
  readonly #last: string[] = [];
  #at: PackageStep = { package: 'image', step: 'Configuring' };
  #failure: string | undefined;

  /** `packages` are those that have to be built yet. */
  constructor(packages: readonly string[]) {
    this.#packages = packages;
  }

  /** Takes a line that came `ms` after the build began; returns what to say when it begins another step. */
  take(line: string, ms: number): string | undefined {
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
    const left = minutesLeft(this.#packages, this.#seen, ms);
    this.#seen.add(step.package);
    const time = left === undefined ? '' : `, about ${left} min left`;
    return `${this.#seen.size}/${this.#packages.length}${time}: ${step.package}: ${step.step}`;
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
