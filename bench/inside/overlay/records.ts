import Type, { type Static } from 'typebox';
import { labFolder } from '../../../lab/machine/deterministic/layout.ts';

/** Instructions of the whole guest, both nodes and both programs, as medians. */
export const Costs = Type.Object({
  /** For a request over a kept connection, until its answer is there. */
  request: Type.Number(),
  /** For a new connection with one request. */
  connect: Type.Number(),
  /** For a megabyte (2^20 bytes) over a kept connection, in segments of the link's size. */
  megabyte: Type.Number(),
});
export type Costs = Static<typeof Costs>;

/** How large the overlay's tables are on each of both nodes. */
export const Size = Type.Object({
  /** Services beside the caller's own. */
  services: Type.Integer({ minimum: 1 }),
  /** Other nodes. */
  peers: Type.Integer({ minimum: 1 }),
});
export type Size = Static<typeof Size>;

/** A way from an instance on one node to an instance on the other. */
export const Way = Type.Union([Type.Literal('bare'), Type.Literal('VXLAN'), Size]);
export type Way = Static<typeof Way>;

/** What leaves the guest, one record a line. */
export const OverlayRecord = Type.Union([
  Type.Object({ say: Type.String() }),
  Type.Object({ way: Way, costs: Costs }),
  Type.Object({ error: Type.String() }),
  Type.Object({ ended: Type.Integer() }),
]);
export type OverlayRecord = Static<typeof OverlayRecord>;

/** Files that the guest has of this bench's: the client, and the service, compiled. */
export const files = { client: `${labFolder}/client.cjs`, service: `${labFolder}/service.cwasm` } as const;
