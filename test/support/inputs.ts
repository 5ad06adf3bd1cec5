const usual = 2000;
const atLeast = Number(process.env['LAB_TEST_INPUTS'] ?? 0);
/** What comes over a wire goes through two processes: of many inputs, a tenth. */
const overWire = Math.max(usual, atLeast / 10);
const roundSize = 20_000;

/** Which rounds a campaign of faults plays: LAB_CAMPAIGN_ROUNDS is `50`, or `7-9`. Without it as many as fit its time. */
export const campaignRounds = ((text = '') => {
  const [, first, last] = /^(\d+)-(\d+)$/.exec(text) ?? [];
  if (first !== undefined) return { first: Number(first), count: Number(last) - Number(first) + 1 };
  return { first: 1, count: text === '' ? undefined : Number(text) };
})(process.env['LAB_CAMPAIGN_ROUNDS']);

/** What a campaign of faults is drawn from: the same seed draws the same rounds. */
export const campaignSeed = process.env['LAB_CAMPAIGN_SEED'] ?? '1';

/** The longest that a file of tests with such inputs may take: otherwise as long as .taprc lets any file take. */
export const fileMs = atLeast > 0 || campaignRounds.count !== undefined ? 20_000_000 : 1_800_000;

/** fast-check's parameters for a door: a fixed seed, and `least` inputs, or LAB_TEST_INPUTS where that is more. */
export const inputs = (seed: number, least = usual) => ({ seed, numRuns: Math.max(least, atLeast) });

/** The same for what is slow, such as the files through which a door is reached: 2000 inputs at all times. */
export const fewInputs = (seed: number) => ({ seed, numRuns: usual });

/** For a door at the end of a wire, in rounds: for what remembers every input. */
export const rounds = (seed: number) =>
  Array.from({ length: Math.ceil(overWire / roundSize) }, (_, round) => ({
    seed: seed + round,
    numRuns: Math.min(overWire, roundSize),
  }));

/** For a door at the end of a wire at which many may wait at once: a property over a batch of `size`. */
export const batches = (seed: number, size: number) => ({ seed, numRuns: Math.ceil(overWire / size) });
