import { parseOptions as networkOptions } from './net-manager/options.ts';
import { serve } from './net-manager/serve.ts';
import { parseOptions, UsageError, usage } from './node-engine/options.ts';
import { run } from './node-engine/run.ts';
import { explain } from './system/explain.ts';
import { consoleLog } from './system/log.ts';

// NodeEngine with NetManager in its process: most of what a daemon weighs on a board is its Node. What one of them
// cannot go on from ends both, and both are started again.

const log = consoleLog(false);

/** Aborts when the process is told to stop. NetManager sees to it that it ends in time. */
const stopSignal = (): AbortSignal => {
  const stopping = new AbortController();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => stopping.abort(`${name} received`));
  return stopping.signal;
};

const main = async (): Promise<void> => {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(usage);
  else await Promise.all([serve(networkOptions([])), run(options, stopSignal(), log)]);
};

main().then(
  () => process.exit(0),
  (error: unknown) => {
    log.error(explain(error));
    process.exit(error instanceof UsageError ? 64 : 1);
  },
);
