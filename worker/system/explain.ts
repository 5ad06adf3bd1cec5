/** An error and its causes as one sentence for people: "what failed: why: the root of it". */
export const explain = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  const text = error.message || error.name;
  if (inner === undefined) return text;
  const cause = explain(inner);
  return text.includes(cause) ? text : `${text}: ${cause}`;
};
