import fs from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import type { Scenario } from '../scenario/scenario.ts';
import type { ExpectedAnswer } from '../scenario/targets/answer.ts';
import { messageOf, usageFault } from '../system/errors.ts';
import { wholeNumber } from './context.ts';

/** What the user says of the answers of a component of their own. */
export type AnswerFlags = {
  readonly app?: string;
  readonly path?: string;
  readonly expectStatus?: number;
  readonly expectBody?: string;
  readonly expectBodyFile?: string;
  readonly anyBody?: boolean;
};

/** A path with its query as it stands in a request (RFC 9112, section 3.2.1). */
export const requestPath = (text: string): string => {
  if (/^\/[!"$-~]*$/.test(text)) return text;
  throw new InvalidArgumentError(
    'It takes a path that begins with /, without blanks and #; others are written as %20.',
  );
};

/** Adds the options that say what a component of the user's own has to answer. */
export const addAnswerOptions = (command: Command): Command =>
  command
    .option('--path <path>', 'the request path, with --app (default: /)', requestPath)
    .option('--expect-status <n>', 'the expected status, with --app (default: 200)', wholeNumber(200, 599))
    .option('--expect-body <text>', 'the expected response body, with --app (default: the body of the first response)')
    .option('--expect-body-file <file>', 'a file with the expected response body, with --app')
    .option('--any-body', 'bodies may change from one response to the next, with --app');

const givenOptions = (flags: AnswerFlags): readonly string[] => [
  ...(flags.path === undefined ? [] : ['--path']),
  ...(flags.expectStatus === undefined ? [] : ['--expect-status']),
  ...bodyOptions(flags),
];

const bodyOptions = ({ expectBody, expectBodyFile, anyBody }: AnswerFlags): readonly string[] => [
  ...(expectBody === undefined ? [] : ['--expect-body']),
  ...(expectBodyFile === undefined ? [] : ['--expect-body-file']),
  ...(anyBody ? ['--any-body'] : []),
];

const readBody = (file: string): Promise<Buffer> =>
  fs.readFile(file).catch((error: unknown) => {
    throw usageFault(`--expect-body-file cannot be read: ${messageOf(error)}`);
  });

/**
 * What the component under test has to answer; undefined for the lab's own. Throws a usage fault for options that do
 * not go together, or with the scenario.
 */
export const readExpectedAnswer = async (
  flags: AnswerFlags,
  name: string,
  { ownApps }: Pick<Scenario, 'ownApps'>,
): Promise<ExpectedAnswer | undefined> => {
  const [first] = givenOptions(flags);
  if (flags.app === undefined) {
    if (first === undefined) return undefined;
    throw usageFault(`${first} can be used only with --app: the answer of the lab's own component is known`, [
      `npm run lab -- scenario ${name} --app ./my-service.wasm ${first} …`,
    ]);
  }
  if (ownApps) throw usageFault(`${name} deploys components of its own: leave out --app`);
  const bodies = bodyOptions(flags);
  if (bodies.length > 1) throw usageFault(`${bodies.join(' and ')} exclude each other: leave out one`);
  const { path = '/', expectStatus: status = 200, anyBody = false, expectBody, expectBodyFile } = flags;
  const body = expectBodyFile === undefined ? expectBody : await readBody(expectBodyFile);
  return { path, status, anyBody, ...(body === undefined ? {} : { body: Buffer.from(body) }) };
};
