/** How long fetching one component may take, in ms. */
export const maxFetchMs = 600_000;

/** How long compiling one component ahead of time may take, in ms. */
export const maxCompileMs = 300_000;

/**
 * How long an instance may take from the start of its process until it is of use, in ms: its first HTTP answer, or for
 * a command its beginning. Without code compiled ahead of time the runtime's own compilation is in it.
 */
export const maxReadyMs = 120_000;

/**
 * Within this time of a deploy message a worker answers CREATED or FAILED, in ms: it fetches, compiles ahead and, where
 * that has failed, starts a second time. Whoever deploys waits for that long at least.
 * @public
 */
export const maxDeployMs = maxFetchMs + maxCompileMs + 2 * maxReadyMs;

/** The longest head of an HTTP answer that is read from an instance, in bytes. */
export const maxHeadBytes = 256 * 1024;

/** The longest detail that is sent or logged, in characters. */
export const maxDetail = 2000;
