// The lab's cluster as a process of its own, as somebody else's would be: does what it is told on standard input, one JSON
// document a line, and prints one for each. The first line that it prints says where it listens.
import fs from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { startCluster } from '../../../lab/cluster/cluster.ts';
import type { Deployment } from '../../../lab/cluster/deployment.ts';

const [advertise = '127.0.0.1'] = process.argv.slice(2);
const say = (line: unknown) => process.stdout.write(`${JSON.stringify(line)}\n`);

const cluster = await startCluster({
  ...{ listen: '127.0.0.1', advertise },
  subnet: { address: '10.18.0.0', addressv6: 'fc00::' },
});
const deployments = new Map<string, Deployment>();
const ends = () => AbortSignal.timeout(300_000);
say({ port: cluster.registrationPort, broker: cluster.brokerPort });

for await (const line of createInterface({ input: process.stdin })) {
  const { deploy, service, port, undeploy } = JSON.parse(line) as Readonly<Record<string, string | undefined>>;
  if (deploy !== undefined && service !== undefined) {
    await cluster.networkReady(ends());
    const image = cluster.publishArtifact(path.basename(deploy), await fs.readFile(deploy));
    const deployment = cluster.deploy({ service, instance: 0, image, ...(port === undefined ? {} : { port }) });
    deployments.set(service, deployment);
    await deployment.status('CREATED', ends());
    say({ created: service });
  } else if (undeploy !== undefined) {
    const deployment = deployments.get(undeploy);
    await deployment?.undeploy(ends());
    say({ undeployed: undeploy, violations: cluster.violations });
  }
}
