/** A component could not be had. The message says from where, and never what was answered: the cluster reads it. */
export class FetchError extends Error {
  override readonly name = 'FetchError';
}
