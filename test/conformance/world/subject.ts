import { fileURLToPath } from 'node:url';
import Type from 'typebox';
import { parseJson } from '../../../worker/contract/check.ts';

const words = Type.Array(Type.String(), { minItems: 1 });

/** The variable in which {@link Subject} is handed to the tests, as JSON. */
export const subjectVariable = 'OAKESTRA_CONFORMANCE';

/** What is tested and how thoroughly. `{dialect}` in a command stands for 400 or 403. */
const Subject = Type.Object({
  netManager: words,
  nodeEngine: words,
  /** Every topology and dialect, and what takes long; else each fact once. */
  all: Type.Boolean(),
});
export type Subject = Type.Static<typeof Subject>;

const source = (name: string): string => fileURLToPath(new URL(`../../../worker/${name}/main.ts`, import.meta.url));

/** This project's worker out of its sources. */
export const ownWorker: Subject = {
  netManager: [process.execPath, source('net-manager')],
  nodeEngine: [process.execPath, source('node-engine'), '--dialect', '{dialect}'],
  all: false,
};

const given = process.env[subjectVariable];

export const subject: Subject = given === undefined ? ownWorker : parseJson(Subject, given, subjectVariable);
