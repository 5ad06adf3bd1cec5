import { Chalk, type ColorSupportLevel } from 'chalk';
import { verdictColours, verdictSigns } from '../report/formats/verdict.ts';
import type { LabEvent } from '../scenario/targets/events.ts';

const redrawMs = 100;
const heartbeatMs = 8_000;

/** How many colours a stream shows: none where it is no terminal, or where NO_COLOR says so. */
export const coloursOf = (stream: NodeJS.WriteStream): ColorSupportLevel =>
  stream.isTTY && !process.env['NO_COLOR'] ? 1 : 0;

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/**
 * Shows a run's steps as they happen: on a terminal one line that is drawn again while a step lasts, elsewhere plain
 * lines, and a sign of life where a step lasts long.
 */
export const showProgress = (out: NodeJS.WriteStream): Disposable & { readonly event: (event: LabEvent) => void } => {
  const chalk = new Chalk({ level: coloursOf(out) });
  const live = out.isTTY === true;
  // boards that are started at once have a step each
  const current = new Map<string, { readonly began: number; detail: string; start?: string }>();
  const line = () =>
    [...current]
      .map(
        ([name, { began, detail }]) => `${name} ${chalk.dim(`${seconds(performance.now() - began)} ${detail}`.trim())}`,
      )
      .join(', ');
  const clear = () => {
    if (live) out.write('\r\u001b[2K');
  };
  const tick = () => {
    if (current.size === 0) return;
    if (live) out.write(`\r\u001b[2K${chalk.cyan('…')} ${line()}`);
    else out.write(`… ${line()}\n`);
  };
  const timer = setInterval(tick, live ? redrawMs : heartbeatMs);
  timer.unref();
  return {
    event: (event) => {
      if (event.kind === 'run-started') out.write(`${event.scenario} on ${event.machine}\n`);
      else if (event.kind === 'step-started') current.set(event.step, { began: performance.now(), detail: '' });
      else if (event.kind === 'progress') {
        for (const [name, step] of current) if ((event.step ?? name) === name) step.detail = event.text;
      } else if (event.kind === 'board-started') {
        const step = current.get(event.step);
        if (step) step.start = `, ${event.start}`;
      } else if (event.kind === 'step-ended') {
        clear();
        out.write(
          `${chalk[verdictColours[event.verdict]](verdictSigns[event.verdict])} ${event.step} ${chalk.dim(seconds(event.tookMs) + (current.get(event.step)?.start ?? ''))}\n`,
        );
        current.delete(event.step);
      }
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      clear();
    },
  };
};
