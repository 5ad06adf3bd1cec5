import { passesOnLocal } from './local.ts';

await passesOnLocal('lifecycle', async (t, { file }) => {
  const events = await file('events.ndjson');
  t.match(events, /"status":"DEAD"/, 'the cluster saw the service die');
});

await passesOnLocal('rust', async (t, { results }) => {
  t.equal(results.run.firstAnswer?.body, 'Hello from Rust: /a/path?and=query\n');
  const components = results.inputs.filter(({ name }) => name === 'component');
  t.match(
    components,
    [{ version: /rust/, sha256: /^[0-9a-f]{64}$/ }, { version: /p3/ }],
    'what was deployed, and nothing else',
  );
});

await passesOnLocal('sockets');
