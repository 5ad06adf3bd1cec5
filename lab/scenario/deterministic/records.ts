import Type, { type Static } from 'typebox';
import { labFolder } from '../../machine/deterministic/layout.ts';
import type { Results } from '../../report/model/results.ts';

/** The file that tells a guest what to run. */
export const planFile = `${labFolder}/plan.json`;

/** What is in it. */
export const GuestPlan = Type.Object({
  name: Type.String(),
  machine: Type.String(),
  wasmtimeVersion: Type.String(),
  /** The component, as a file in the guest. */
  app: Type.Object({ name: Type.String(), file: Type.String() }),
  /** Its answer; the body is in base64. */
  expectedAnswer: Type.Object({
    path: Type.String(),
    status: Type.Integer(),
    body: Type.Optional(Type.String()),
    anyBody: Type.Boolean(),
  }),
  until: Type.Optional(Type.String()),
});
export type GuestPlan = Static<typeof GuestPlan>;

const Event = Type.Unsafe<Readonly<Record<string, unknown>> & { readonly kind: string }>(
  Type.Object({ kind: Type.String() }),
);

/**
 * What leaves a guest, one record a line: every event with the guest's clock in ns, in the end the results with the
 * report's files (in base64), and how the lab's half ended.
 */
export const GuestRecord = Type.Union([
  Type.Object({ ns: Type.Number(), event: Event }),
  Type.Object({
    /** As the schema of results has them, which is checked by itself: a schema with a name can be compiled once. */
    results: Type.Unsafe<Results>(Type.Unknown()),
    files: Type.Array(Type.Object({ name: Type.String(), content: Type.String() })),
  }),
  /** Why there are no results; `fault` as a LabError has it. */
  Type.Object({ error: Type.String(), fault: Type.Optional(Type.String()), next: Type.Array(Type.String()) }),
  Type.Object({ ended: Type.Integer() }),
]);
export type GuestRecord = Static<typeof GuestRecord>;
