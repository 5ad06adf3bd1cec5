import { passesOnLocal, samplesOf } from './local.ts';

await passesOnLocal('bridged', async (t, { results }) => {
  t.match(results.machine, { name: 'local', fidelity: 'native' });
  t.ok(samplesOf(results, 'load.responses').every((count) => count > 0));
  const [user] = samplesOf(results, 'load.cpu.user');
  t.ok(user !== undefined && user > 0, 'a request has CPU time of the service');
  t.ok(results.run.metrics.some(({ kind }) => kind === 'performance'));
});

await passesOnLocal('veth', async (t, { results }) => {
  t.equal(results.run.topology?.kind, 'veth');
  t.equal(results.run.topology?.instances[0]?.address, '10.0.0.2');
});

await passesOnLocal('appendix-b', async (t, { file }) => {
  const transcript = await file('transcript.log');
  for (const command of [
    'board$ ip netns add mytestns',
    'board$ ip link add veth-host type veth peer name veth-ns',
    'board$ ip link add name br0 type bridge',
    'wasmtime serve -tcplisten 0.0.0.0:80',
  ])
    t.ok(transcript.includes(command), command);
  t.match(transcript, /File exists/);
});
