import { explain } from '../system/explain.ts';
import { consoleLog } from '../system/log.ts';
import { stopSignal } from '../system/stopping.ts';
import { parseOptions, UsageError, usage } from './options.ts';
import { run } from './run.ts';

const log = consoleLog(false);

/** The longest that the engine takes to end, in ms. */
const stopMs = 2500;

const main = async (): Promise<void> => {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(usage);
  else
    await run(
      options,
      stopSignal(log, () => stopMs),
      log,
    );
};

main().then(
  () => process.exit(0),
  (error: unknown) => {
    log.error(explain(error));
    process.exit(error instanceof UsageError ? 64 : 1);
  },
);
