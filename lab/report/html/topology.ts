import type { Results, Topology } from '../model/results.ts';
import { html, type Markup, type Part } from './markup.ts';

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

/** The network as it was: the lab, the board, its gateway, and every instance with its names and addresses. */
export const topologyDiagram = ({ run, machine }: Results): Markup | undefined => {
  const { topology } = run;
  if (!topology) return undefined;
  const { kind, gateway, gateway6, bridge, instances } = topology;
  const name = kind === 'bridged' ? `bridge ${bridge ?? ''}` : 'a veth pair an instance';
  const rest = instances.length - drawn;
  return html`<div class="topology">
<div class="box lab"><b>lab</b><small>this computer</small></div>
<span class="wire uplink">uplink</span>
<div class="box board"><b>board</b><small>${machine.name}, ${machine.architecture}</small>
<div class="box gateway"><b>${name}</b><small>gateway</small> ${addresses(gateway, gateway6)}</div>
<ul>${instances.slice(0, drawn).map(instanceBox)}${rest > 0 ? html`<li>and ${rest} more</li>` : undefined}</ul>
</div></div>`;
};
