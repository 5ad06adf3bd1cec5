import { consoleLog } from '../system/log.ts';
import { readConfig } from './config.ts';
import { dryRun } from './inspect/dry-run.ts';
import { statusText } from './inspect/status.ts';
import { openJournal } from './journal.ts';
import { parseOptions, UsageError, usage } from './options.ts';
import { recordedSettings, serve } from './serve.ts';

const main = async (): Promise<number> => {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(usage);
  else if (options.plan !== undefined) {
    const log = consoleLog(false);
    const config = await readConfig(options.config, log.warn);
    const { contents } = await openJournal(options.state, log);
    process.stdout.write(dryRun(options.plan, config, contents, log.warn));
  } else if (options.status) {
    const log = consoleLog(false);
    const config = await readConfig(options.config, log.warn);
    const { contents } = await openJournal(options.state, log);
    process.stdout.write(await statusText(recordedSettings(config, contents), contents));
  } else await serve(options);
  return 0;
};

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`NetManager: ${(error as Error).message}\n`);
    process.exitCode = error instanceof UsageError ? 64 : 1;
  },
);
