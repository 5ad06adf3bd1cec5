const atLeast = Number(process.env['LAB_TEST_INPUTS'] ?? 0);

/** The longest that a file of tests with such inputs may take. */
export const fileMs = atLeast > 0 ? 20_000_000 : 120_000;

/** fast-check's parameters for a door: a fixed seed, and so many inputs, or LAB_TEST_INPUTS where that is more. */
export const inputs = (seed: number, usual = 2000) => ({ seed, numRuns: Math.max(usual, atLeast) });

/** As many inputs in rounds of `usual`, for what remembers every one of them. */
export const rounds = (seed: number, usual = 2000) =>
  Array.from({ length: Math.ceil(Math.max(usual, atLeast) / usual) }, (_, round) => ({
    seed: seed + round,
    numRuns: usual,
  }));
