import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

/** This computer's architecture as compilers name it. */
export const architecture: string = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

/**
 * A short word for the features that the text of /proc/cpuinfo names (`flags` on x86, `Features` on arm). The compiler
 * uses what the processor has, and a card can be put into another board.
 */
export const featuresOf = (cpuinfo: string): string => {
  const lines = cpuinfo.matchAll(/^(?:flags|Features)\s*:(.*)$/gm);
  // Processors may differ: code may run on any of them.
  const all = new Set([...lines].map(([, words = '']) => words.trim().split(/\s+/).toSorted().join(' ')));
  return createHash('sha256')
    .update([...all].toSorted().join('\n'))
    .digest('hex')
    .slice(0, 12);
};

/** The features of this computer's processors. */
export const processorFeatures = async (): Promise<string> => featuresOf(await readFile('/proc/cpuinfo', 'utf8'));
