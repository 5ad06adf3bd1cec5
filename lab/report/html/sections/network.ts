import type { Results, Topology } from '../../model/results.ts';
import { html, type Markup, type Part } from '../markup.ts';
import type { Section } from '../section.ts';

/** A board carries 61 instances at most; a picture of more than these says nothing more. */
const drawn = 12;

const addresses = (v4: string, v6: string | undefined): Markup =>
  html`<code>${v4}</code>${v6 === undefined ? undefined : html` <code>${v6}</code>`}`;

/** A dotted name that may break after its dots. */
const breakable = (name: string): Part => name.split('.').map((part, i) => (i === 0 ? part : html`.<wbr>${part}`));

const instanceBox = ({ task, address, address6, link, ports }: Topology['instances'][number]): Markup =>
  html`<li><span class="wire">${link ?? 'veth'}</span><div class="box instance">
<b>${breakable(task)}</b><small>network namespace</small>
${addresses(address, address6)}
${ports.length === 0 ? undefined : html`<small>mapped from the board: ${ports.map((port) => html`<code>${port}</code> `)}</small>`}
</div></li>`;

/** A board with its gateway, and every instance with its names and addresses. */
const boardBox = (
  { name, architecture }: Results['machine'],
  title: string,
  address: string | undefined,
  topology: Topology | undefined,
): Markup => {
  const { kind, gateway, gateway6, bridge, instances } = topology ?? { kind: undefined, gateway: '', instances: [] };
  const network = kind === 'bridged' ? `bridge ${bridge ?? ''}` : 'a veth pair an instance';
  const rest = instances.length - drawn;
  return html`<div class="box board"><b>${title}</b><small>${name}, ${architecture}</small>${address && html` ${addresses(address, undefined)}`}
${kind && html`<div class="box gateway"><b>${network}</b><small>gateway</small> ${addresses(gateway, gateway6)}</div>`}
<ul>${instances.slice(0, drawn).map(instanceBox)}${rest > 0 ? html`<li>and ${rest} more</li>` : undefined}</ul>
</div>`;
};

const topologyDiagram = ({ run, machine }: Results): Markup | undefined => {
  const { topology, boards = [] } = run;
  if (!topology && boards.length === 0) return undefined;
  return html`<div class="topology">
<div class="box lab"><b>lab</b><small>this computer</small></div>
<span class="wire uplink">uplink</span>
${
  boards.length === 0
    ? boardBox(machine, 'board', undefined, topology)
    : html`<div class="boards">${boards.map(
        ({ name, address, topology: its }, n) =>
          html`${n === 0 ? undefined : html`<span class="wire segment">segment</span>`}${boardBox(machine, name, address, its)}
`,
      )}</div>`
}
</div>`;
};

/** The network as it was: the lab and the board, or the boards with the segment that joins them. */
export const network: Section = { id: 'network', title: 'Network', content: topologyDiagram };
