import { type Argument, Command, type Option } from 'commander';
import { addCleanCommand } from './clean.ts';
import { addCompletionCommand } from './completion/completion.ts';
import type { CommandContext } from './context.ts';
import { addDoctorCommand } from './doctor.ts';
import { addImageCommand } from './image/image.ts';
import { addDownCommand } from './kept/down.ts';
import { addExecCommand } from './kept/exec.ts';
import { addLogsCommand } from './kept/logs.ts';
import { addShellCommand } from './kept/shell.ts';
import { addMachineCommand } from './machine.ts';
import { addPlanCommand } from './plan.ts';
import { addReportCommand } from './report/report.ts';
import { addScenarioCommand } from './scenario.ts';
import { addDeployCommand } from './standing/deploy.ts';
import { addLoadCommand } from './standing/load.ts';
import { addLsCommand } from './standing/ls.ts';
import { addProcessCommand } from './standing/process.ts';
import { addUndeployCommand } from './standing/undeploy.ts';
import { addUpCommand } from './standing/up.ts';
import { addSuiteCommand } from './suite.ts';

/** Whether a default is only that nothing was asked for: help says nothing of it. */
const isNothing = (value: unknown): boolean => value === false || (Array.isArray(value) && value.length === 0);

/** The text of an option or an argument in the help, with its choices, and with its default where there is one. */
const describe = (one: Option | Argument): string => {
  const given: unknown = one.defaultValue;
  const isOnByDefault = 'negate' in one && one.negate && given === true;
  const hasDefault = given !== undefined && !isOnByDefault && !isNothing(given);
  const more = [
    ...(one.argChoices ? [one.argChoices.join(', ')] : []),
    ...(hasDefault ? [`default: ${one.defaultValueDescription ?? String(given)}`] : []),
  ];
  return more.length === 0 ? one.description : `${one.description} (${more.join('; ')})`;
};

/** All commands of the lab. Each is added by its own file; help looks the same for all. */
export const labProgram = (context: CommandContext): Command => {
  const program = new Command('lab')
    .description('Boots a board, lets the Oakestra worker deploy WebAssembly services on it, tests and loads them.')
    .configureHelp({ optionDescription: describe, argumentDescription: describe })
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows what there is)')
    .enablePositionalOptions()
    .exitOverride();
  for (const add of [
    addScenarioCommand,
    addSuiteCommand,
    addReportCommand,
    addPlanCommand,
    addUpCommand,
    addDeployCommand,
    addUndeployCommand,
    addLsCommand,
    addLoadCommand,
    addLogsCommand,
    addDownCommand,
    addMachineCommand,
    addImageCommand,
    addDoctorCommand,
    addCleanCommand,
    addExecCommand,
    addShellCommand,
    addCompletionCommand,
    addProcessCommand,
  ])
    add(program, context);
  return program;
};
