import type { Test } from 'tap';
import type { ScenarioRun } from './passes.ts';

/** What `veth` has to show, wherever it runs. */
export const vethShows = async (t: Test, { results }: ScenarioRun): Promise<void> => {
  t.match(results.run.topology, {
    kind: 'veth',
    gateway: '10.0.0.1',
    instances: [
      { address: '10.0.0.2', link: /^veth/ },
      { address: '10.0.0.3', link: /^veth/ },
    ],
  });
  const verdicts = results.steps.filter(({ name }) => /egress/.test(name)).map(({ verdict }) => verdict);
  t.ok(verdicts.length > 3 && verdicts.every((verdict) => verdict === 'passed'), 'with egress and without');
};

/** What `appendix-b` has to show: what was typed, as it was typed. */
export const appendixShows = async (t: Test, { file }: ScenarioRun): Promise<void> => {
  const transcript = await file('transcript.log');
  for (const command of [
    'board$ ip netns add mytestns',
    'board$ ip link add veth-host type veth peer name veth-ns',
    'board$ ip link add name br0 type bridge',
    'wasmtime serve -tcplisten 0.0.0.0:80',
  ])
    t.ok(transcript.includes(command), command);
  t.match(transcript, /File exists/);
};
