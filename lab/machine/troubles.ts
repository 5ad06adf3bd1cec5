import Type from 'typebox';
import { parseJson } from '../../worker/contract/check.ts';
import type { ExecResult } from '../system/process.ts';

/** A trouble that people have with namespaces made by hand, and the commands that remedy it. */
export type Trouble = { readonly name: string; readonly detail: string; readonly remedy: readonly string[] };

const Links = Type.Array(
  Type.Object({
    ifname: Type.String(),
    master: Type.Optional(Type.String()),
    addr_info: Type.Array(Type.Object({ family: Type.String(), local: Type.String(), prefixlen: Type.Integer() })),
  }),
);

/** What there is on a board that troubles can be told by. */
export type BoardState = { readonly links: Type.Static<typeof Links>; readonly namespaces: readonly string[] };

/** Names that the usual walk-throughs give, of links and of namespaces. */
const walkThrough = /^(mytestns|veth-host|veth-br|veth-ns|br0)$/;

const inTheWay = ({ links, namespaces }: BoardState): readonly Trouble[] => {
  const named = links.map(({ ifname }) => ifname).filter((name) => walkThrough.test(name));
  // one end of a pair takes the other one with it
  const leftLinks = named.some((name) => /^veth-(host|br)$/.test(name))
    ? named.filter((name) => name !== 'veth-ns')
    : named;
  const leftNamespaces = namespaces.filter((name) => walkThrough.test(name));
  if (leftLinks.length + leftNamespaces.length === 0) return [];
  return [
    {
      name: 'a repeated step ends with "RTNETLINK answers: File exists"',
      detail: `these exist already on the board: ${[...leftNamespaces, ...leftLinks].join(', ')}`,
      remedy: [
        ...leftLinks.map((name) => `ip link delete ${name}`),
        ...leftNamespaces.map((name) => `ip netns delete ${name}`),
      ],
    },
  ];
};

const onPorts = ({ links }: BoardState): readonly Trouble[] =>
  links
    .filter(({ master }) => master !== undefined)
    .flatMap(({ ifname, master, addr_info }) =>
      addr_info
        .filter(({ family }) => family === 'inet')
        .map(({ local, prefixlen }) => ({
          name: 'connections end with "No route to host"',
          detail: `${local}/${prefixlen} is on ${ifname}, a port of ${master}: answers arrive at the bridge and are not seen there`,
          remedy: [`ip address delete ${local}/${prefixlen} dev ${ifname}`],
        })),
    );

/** The known troubles that a board's state shows. */
export const troublesOf = (state: BoardState): readonly Trouble[] => [...onPorts(state), ...inTheWay(state)];

const oldFlag = /unexpected argument '-(-tcplisten|t)/;

/** The known trouble that what a command printed tells of, with what to do in general. */
export const explainOutput = (output: string): Trouble | undefined => {
  const detail = output.trim();
  if (/RTNETLINK answers: File exists|Cannot create namespace file .*: File exists/.test(output))
    return {
      name: 'a step was done before',
      detail,
      remedy: ['delete what it made: ip netns delete NAME, ip link delete NAME'],
    };
  if (/No route to host|Destination Host Unreachable/.test(output))
    return {
      name: 'two networks on one interface, or an address on a port of a bridge',
      detail,
      remedy: ['keep one network an interface, and addresses on the bridge: ip address delete ADDRESS dev PORT'],
    };
  if (oldFlag.test(output))
    return {
      name: 'wasmtime has no -tcplisten any more',
      detail,
      remedy: ['wasmtime serve --addr 0.0.0.0:80 COMPONENT'],
    };
  return undefined;
};

type Exec = (argv: readonly string[]) => Promise<ExecResult>;

/** Links with their addresses, and namespaces, as they are on a board. */
export const observeBoard = async (exec: Exec): Promise<BoardState> => {
  const [links, namespaces] = await Promise.all([
    exec(['ip', '-json', 'address', 'show']),
    exec(['ip', 'netns', 'list']),
  ]);
  return {
    links: parseJson(Links, links.stdout, "'ip address show' on the board"),
    namespaces: namespaces.stdout.split('\n').flatMap((line) => line.split(' ')[0] || []),
  };
};

/** The known trouble that only what a command left in a log tells of; `text` is what `grep -H` printed. */
export const loggedTroubles = (text: string): readonly Trouble[] =>
  text.split('\n').flatMap((line) => (oldFlag.test(line) ? (explainOutput(line) ?? []) : []));

const logs = ['find', '/tmp', '/var/log', '-name', '*.log', '-exec', 'grep', '-H', 'unexpected argument', '{}', '+'];

/** Looks at a board for known troubles: at its links and namespaces, and at what was logged. */
export const examine = async (exec: Exec): Promise<readonly Trouble[]> => {
  const [state, logged] = await Promise.all([observeBoard(exec), exec(logs)]);
  return [...troublesOf(state), ...loggedTroubles(logged.stdout)];
};
