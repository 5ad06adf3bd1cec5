import { CommanderError } from 'commander';
import { labProgram } from './commands/commands.ts';
import { describeTrouble } from './commands/trouble.ts';
import { exitCodeOf, exitCodes, Interrupted, isAbort } from './system/errors.ts';
import { removeOwnRuns } from './system/runs.ts';

/** npm passes on to its child what the terminal has already told both. */
const sameSignalMs = 1_000;

// whoever reads along may end first, by the same Ctrl-C: what is left to do here is done all the same
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

const interruption = new AbortController();
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(name, () => {
    const began = performance.now();
    // a library that waits for signals ends the process where it is the last to do so
    process.on(name, () => {
      if (performance.now() - began > sameSignalMs) process.exit(exitCodes.interrupted);
    });
    process.stderr.write(`\n${name}: taking everything down (again to end at once)\n`);
    interruption.abort(new Interrupted());
  });
let unforeseen: unknown;
for (const name of ['uncaughtException', 'unhandledRejection'] as const)
  process.on(name, (error: unknown) => {
    unforeseen ??= error;
    interruption.abort(error);
  });

const program = labProgram({
  signal: interruption.signal,
  exit: (code: number) => {
    process.exitCode = code;
  },
});

/** Says what went wrong and what to do next; the exit code says whose fault it was. */
const fail = (error: unknown): number => {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.passed : exitCodes.usage;
  if (unforeseen === undefined && interruption.signal.aborted && isAbort(error)) return exitCodes.interrupted;
  process.stderr.write(`lab: ${describeTrouble(error)}`);
  return unforeseen === undefined && interruption.signal.aborted ? exitCodes.interrupted : exitCodeOf(error);
};

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = fail(error);
}
if (unforeseen !== undefined) process.exitCode = fail(unforeseen);
await removeOwnRuns().catch((error: unknown) => {
  process.stderr.write(`lab: something of this run is left: ${describeTrouble(error)}`);
  if (!process.exitCode) process.exitCode = exitCodeOf(error);
});
// a timer or a server that a scenario left must not keep this process alive
process.stdout.write('', () => process.exit());
