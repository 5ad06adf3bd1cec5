import Type, { type Static } from 'typebox';

/** What a link between a board and the switch does to every frame, in each direction; nothing when empty. */
export const LinkConditions = Type.Object({
  /** Milliseconds that a frame takes longer. */
  delayMs: Type.Optional(Type.Number({ minimum: 0, maximum: 60_000 })),
  /** The share of frames that is lost, 0 to 1. */
  loss: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  /** Bits a second; what does not fit waits, and is lost when too much waits. */
  bitsPerSecond: Type.Optional(Type.Number({ minimum: 1000 })),
  /** Nothing passes, as with the cable pulled. */
  isCut: Type.Optional(Type.Boolean()),
});
export type LinkConditions = Static<typeof LinkConditions>;

/** What crossed a link and what was lost on it, in frames of both directions. */
export const LinkCounts = Type.Object({ passed: Type.Integer(), lost: Type.Integer() });
export type LinkCounts = Static<typeof LinkCounts>;

/** A line that the switch is told: what a link is like from now on. */
export const SwitchOrder = Type.Object({ link: Type.String(), conditions: LinkConditions });

/** A line that the switch answers, one for each order. */
export const SwitchAnswer = Type.Object({ link: Type.String(), counts: LinkCounts });
