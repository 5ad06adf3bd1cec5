import { formatValue, machineOf } from '../../formats/wording.ts';
import type { Results, Run } from '../../model/results.ts';
import { html, type Markup } from '../markup.ts';
import type { Section } from '../section.ts';
import { table } from '../table.ts';

/** The emulator of the board, or of each of several. */
const emulatorsOf = ({ emulator, boards = [] }: Run) => [
  ...(emulator ? [{ of: '', emulator }] : []),
  ...boards.flatMap((board) => (board.emulator ? [{ of: ` of ${board.name}`, emulator: board.emulator }] : [])),
];

const provenance = ({ inputs, machine, options, run }: Results): Markup => html`
${table(
  'Inputs',
  ['input', 'version', 'SHA-256', ''],
  inputs.map(({ name, version, sha256, detail }) => [
    name,
    version,
    sha256 && html`<code class="digest">${sha256}</code>`,
    detail,
  ]),
)}
<dl>
<dt>machine</dt><dd>${machineOf({ machine })}, ${machine.architecture}, ${machine.accelerator}, ${machine.fidelity}</dd>
<dt>options</dt><dd>${Object.entries(options).map(([name, value]) => html`<code>${name}=${String(value)}</code> `)}</dd>
<dt>revision</dt><dd><code class="digest">${run.revision.commit}</code>${run.revision.dirty ? ' with uncommitted changes' : ''}</dd>
<dt>host</dt><dd>${run.host.platform}, kernel ${run.host.kernel}, ${run.host.cpus} CPUs, Node ${run.host.node}</dd>
<dt>run</dt><dd>${run.id}, ${run.started}, ${formatValue(run.seconds, 's')}</dd>
${run.unlocked.length === 0 ? undefined : html`<dt>not locked</dt><dd>${run.unlocked.join(', ')}</dd>`}
</dl>
${emulatorsOf(run).map(
  ({ of, emulator }) =>
    html`<details><summary>Arguments of the emulator${of}</summary><pre tabindex="0">${emulator.arguments.join('\n')}</pre></details>`,
)}`;

/** Everything that it takes to make the same run again. */
export const inputs: Section = { id: 'made-of', title: 'Inputs', content: provenance };
