import Type, { type Static } from 'typebox';

/** What a coordinator sends, as `coordinator.proto` decodes it. */
const Match = Type.Object({
  exporter: Type.String(),
  group: Type.String(),
  cls: Type.String(),
  name: Type.Optional(Type.String()),
});
export type Match = Static<typeof Match>;

export const Place = Type.Object({
  name: Type.String({ minLength: 1 }),
  aliases: Type.Array(Type.String()),
  tags: Type.Record(Type.String(), Type.String()),
  /** Which resources belong to it, by patterns. */
  matches: Type.Array(Match),
  /** Who has it, as `HOST/USER`; empty while nobody has. */
  acquired: Type.Optional(Type.String()),
  /** What was acquired with it, each as `EXPORTER/GROUP/CLASS/NAME`. */
  acquiredResources: Type.Array(Type.String()),
  /** The token of the reservation that it is kept for. */
  reservation: Type.Optional(Type.String()),
});
export type Place = Static<typeof Place>;
export const Places = Type.Object({ places: Type.Array(Place) });

export const ResourcePath = Type.Object({
  exporterName: Type.String(),
  groupName: Type.String(),
  resourceName: Type.String(),
});

const Value = Type.Object({
  boolValue: Type.Optional(Type.Boolean()),
  intValue: Type.Optional(Type.Number()),
  uintValue: Type.Optional(Type.Number()),
  floatValue: Type.Optional(Type.Number()),
  stringValue: Type.Optional(Type.String()),
});

export const Resource = Type.Object({
  path: ResourcePath,
  cls: Type.String(),
  params: Type.Record(Type.String(), Value),
  extra: Type.Record(Type.String(), Value),
  /** The place that it was acquired with; empty while there is none. */
  acquired: Type.String(),
  avail: Type.Boolean(),
});
export type Resource = Static<typeof Resource>;

export const Reservation = Type.Object({
  owner: Type.String(),
  token: Type.String(),
  state: Type.Integer(),
  allocations: Type.Record(Type.String(), Type.String()),
});
export type Reservation = Static<typeof Reservation>;
export const OneReservation = Type.Object({ reservation: Reservation });
export const Reservations = Type.Object({ reservations: Type.Array(Reservation) });

/** States of a reservation (labgrid/remote/common.py, ReservationState). */
export const waiting = 0;
export const allocated = 1;

/** A value of a resource's parameters; undefined for one that is not set. */
export const valueIn = (values: Resource['params'], name: string): string | number | boolean | undefined => {
  const { stringValue, boolValue, uintValue, intValue, floatValue } = values[name] ?? {};
  return stringValue ?? boolValue ?? uintValue ?? intValue ?? floatValue;
};

/** A resource's name for people and for labgrid: `EXPORTER/GROUP/CLASS/NAME`. */
export const nameOf = ({ path, cls }: Resource): string =>
  `${path.exporterName}/${path.groupName}/${cls}/${path.resourceName}`;
