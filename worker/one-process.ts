import { boardHolder } from './net-manager/board-lock.ts';
import { parseOptions as networkOptions } from './net-manager/options.ts';
import { serve } from './net-manager/serve.ts';
import { parseOptions, UsageError, usage } from './node-engine/options.ts';
import { run } from './node-engine/run.ts';
import { explain } from './system/explain.ts';
import { consoleLog } from './system/log.ts';
import { stopSignal } from './system/stopping.ts';

// NodeEngine with NetManager in its process: most of what a daemon weighs on a board is its Node. What one of them
// cannot go on from ends both, and both are started again. Where a NetManager runs by itself still, it goes on.

const log = consoleLog(false);

/** The longest that the process takes to end, in ms: the longest that NetManager takes. */
const stopMs = 60_000;

const main = async (): Promise<void> => {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return;
  }
  const stopping = stopSignal(log, () => stopMs);
  const holder = await boardHolder();
  if (holder !== undefined)
    log.warn(`a NetManager runs by itself (${holder}): InNodeEngine has an effect once both daemons are restarted`);
  const network = holder === undefined ? serve(networkOptions([]), stopping) : undefined;
  await Promise.all([network, run(options, stopping, log)]);
};

main().then(
  () => process.exit(0),
  (error: unknown) => {
    log.error(explain(error));
    process.exit(error instanceof UsageError ? 64 : 1);
  },
);
