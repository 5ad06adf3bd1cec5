import { LabError } from '../../system/errors.ts';

/** How often is looked, in ms. Looks are counted, not time: while the lab itself stands still nobody is away. */
const lookMs = 500;

/**
 * A signal that aborts with `signal`, and as the product's fault once a daemon of the worker has not been connected to
 * the cluster for `ms` on end: what it was ordered is not waited for any longer. Disposing ends the watch.
 */
export const whilePresent = (isConnected: () => boolean, ms: number, signal: AbortSignal): AbortSignal & Disposable => {
  const lost = new AbortController();
  const most = Math.ceil(ms / lookMs);
  let looks = 0;
  const timer = setInterval(() => {
    looks = isConnected() ? 0 : looks + 1;
    if (looks >= most)
      lost.abort(
        new LabError(`the worker has not been connected to the cluster for ${(most * lookMs) / 1000} s`, {
          fault: 'product',
          next: ['npm run lab -- logs NodeEngine', 'npm run lab -- logs NetManager'],
        }),
      );
  }, lookMs);
  return Object.assign(AbortSignal.any([signal, lost.signal]), { [Symbol.dispose]: () => clearInterval(timer) });
};
