import type { Expected } from '../../load/tally.ts';
import type { App } from '../../wasm/app.ts';
import type { Expect } from './expect.ts';

/** An HTTP answer; header names are in lower case. */
export type Answer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** The body as UTF-8 text, for what is known to be text. */
  readonly body: string;
  /** The body as it came. */
  readonly bytes: Buffer;
};

/** An answer out of its parts. */
export const answerOf = (status: number, headers: Answer['headers'], bytes: Buffer): Answer => ({
  ...{ status, headers, bytes },
  body: bytes.toString('utf8'),
});

/**
 * What the service under test has to answer to a GET of `path`. Without a body: whatever it answers first. With
 * `anyBody` its bodies may differ from each other.
 */
export type ExpectedAnswer = {
  readonly path: string;
  readonly status: number;
  readonly body?: Uint8Array | undefined;
  readonly anyBody: boolean;
};

/** What an app has to answer unless something else is said: its own body to a GET of `/`. */
export const usualAnswer = ({ body }: Pick<App, 'body'>): ExpectedAnswer => ({
  ...{ path: '/', status: 200, anyBody: false },
  ...(body === undefined ? {} : { body: Buffer.from(body) }),
});

/** What all later answers of a service have to be when one was seen. */
export const answersLike = ({ status, body, anyBody }: ExpectedAnswer, first: Answer): Expected =>
  anyBody ? { status } : { status, body: body ?? first.bytes };

/** Expects an answer; without a body any body is right, and the report has the length of what came. */
export const expectAnswer = (expect: Expect, answer: Answer, { status, body }: Expected): void => {
  expect.equal('status', answer.status, status);
  if (body === undefined) expect.ok(`a body of any content: ${answer.bytes.length} bytes`, true);
  else expect.equal('body', answer.bytes, Buffer.from(body));
};

/** Expects the first answer of a service and returns what later ones have to be. */
export const expectFirst = (expect: Expect, answer: Answer, wanted: ExpectedAnswer): Expected => {
  const later = answersLike(wanted, answer);
  expectAnswer(expect, answer, later);
  return later;
};
