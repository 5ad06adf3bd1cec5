/** How a case ended that did not pass. */
export type JunitOutcome = {
  readonly element: 'failure' | 'error' | 'skipped';
  /** In one line. */
  readonly message: string;
  readonly text?: string;
};

export type JunitCase = {
  readonly classname: string;
  readonly name: string;
  readonly seconds: number;
  readonly outcome?: JunitOutcome | undefined;
};

export type JunitSuite = {
  readonly name: string;
  readonly seconds: number;
  /** ISO 8601. */
  readonly timestamp?: string;
  readonly properties?: Readonly<Record<string, string>>;
  readonly cases: readonly JunitCase[];
};

/** Text for XML 1.0: markup and white space escaped, characters that XML does not have replaced. */
const xml = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, '\ufffd')
    .replace(/[<>&"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);

const attributes = (values: Readonly<Record<string, string | number>>): string =>
  Object.entries(values)
    .map(([name, value]) => ` ${name}="${xml(String(value))}"`)
    .join('');

const outcomeElement = ({ element, message, text = '' }: JunitOutcome): string => {
  const head = `<${element}${attributes({ message })}`;
  return text === '' ? `${head}/>` : `${head}>${xml(text)}</${element}>`;
};

const caseElement = ({ classname, name, seconds, outcome }: JunitCase): string => {
  const head = `    <testcase${attributes({ classname, name, time: seconds })}`;
  return outcome ? `${head}>${outcomeElement(outcome)}</testcase>` : `${head}/>`;
};

const suiteElement = ({ name, seconds, timestamp, properties = {}, cases }: JunitSuite): string => {
  const count = (element: JunitOutcome['element']) => cases.filter((one) => one.outcome?.element === element).length;
  const counts = { failures: count('failure'), errors: count('error'), skipped: count('skipped') };
  const head = {
    name,
    tests: cases.length,
    ...counts,
    time: seconds,
    ...(timestamp === undefined ? {} : { timestamp }),
  };
  const listed = Object.entries(properties).map(
    ([property, value]) => `      <property${attributes({ name: property, value })}/>\n`,
  );
  return [
    `  <testsuite${attributes(head)}>\n`,
    ...(listed.length === 0 ? [] : ['    <properties>\n', ...listed, '    </properties>\n']),
    ...cases.map((one) => `${caseElement(one)}\n`),
    '  </testsuite>\n',
  ].join('');
};

/** A JUnit document with these test suites: a text has some of another document, as {@link suitesIn} found them. */
export const junitDocument = (suites: readonly (JunitSuite | string)[]): string => {
  const elements = suites.map((suite) => (typeof suite === 'string' ? suite : suiteElement(suite)));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${elements.join('')}</testsuites>\n`;
};

/** The test suites of a JUnit document, as they stand in it. */
export const suitesIn = (document: string): string =>
  /<testsuites[^>]*>\n?([\s\S]*)<\/testsuites>/.exec(document)?.[1] ?? '';
