const usual = 2000;
const atLeast = Number(process.env['LAB_TEST_INPUTS'] ?? 0);
const wanted = Math.max(usual, atLeast);

/** The longest that a file of tests with such inputs may take. */
export const fileMs = atLeast > 0 ? 20_000_000 : 120_000;

/** fast-check's parameters for a door: a fixed seed, and 2000 inputs, or LAB_TEST_INPUTS where that is more. */
export const inputs = (seed: number) => ({ seed, numRuns: wanted });

/** The same for what is slow, such as the files through which a door is reached: 2000 inputs at all times. */
export const fewInputs = (seed: number) => ({ seed, numRuns: usual });

/** The same in rounds of at most 20,000 inputs, for what remembers every one of them. */
export const rounds = (seed: number) => {
  const size = Math.min(wanted, 20_000);
  return Array.from({ length: Math.ceil(wanted / size) }, (_, round) => ({ seed: seed + round, numRuns: size }));
};

/** As many inputs for a property over a batch of `size` at a time, for a door at which many may wait at once. */
export const batches = (seed: number, size: number) => ({ seed, numRuns: Math.ceil(wanted / size) });
