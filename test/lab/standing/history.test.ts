import t from 'tap';
import { historyText } from '../../../lab/commands/report/standing.ts';
import { History } from '../../../lab/standing/history.ts';
import type { LabRequest, LabStatus } from '../../../lab/standing/protocol.ts';
import { usageFault } from '../../../lab/system/errors.ts';

const status: LabStatus = {
  ...{ name: 'default', id: 'x', machine: 'local', architecture: 'x86_64', topology: 'bridged' },
  ...{ started: '2026-01-01T00:00:00.000Z', worker: 'connected', violations: 0, services: [] },
};
const component = { name: 'a.wasm', file: 'a.wasm', sha256: 'c'.repeat(64) };
const deploy: Extract<LabRequest, { do: 'deploy' }> = {
  ...{ do: 'deploy', service: 'my-service', component, environment: [], replicas: 1 },
};
const deployed = { service: 'myservice', ports: '8080:80/tcp', replaced: false, tookMs: 500, notes: [] };

t.test('what was done is remembered with what came of it, failures too', async (t) => {
  const history = new History();
  await history.record(deploy, async () => deployed);
  await history.record(deploy, async () => ({ ...deployed, replaced: true }));
  const taken = usageFault('port 80/tcp leads to other already');
  const failing = history.record({ ...deploy, port: '80:80' }, () => Promise.reject(taken));
  await t.rejects(failing, { fault: 'usage', message: /port 80/ });
  const load = { do: 'load', service: 'myservice', path: '/', connections: 4, seconds: 1 } as const;
  await history.record(load, async () => ({
    ...{ url: 'http://x/', counts: { responses: 1234, wrongBody: 2 }, rate: 500, latency: { p50: 900, p99: 4000 } },
    ...{ performance: true, notes: [] },
  }));
  await history.record({ do: 'undeploy', service: 'my-service' }, async () => ({ service: 'myservice', tookMs: 9 }));
  t.match(history.all, {
    forgotten: 0,
    done: [
      { what: 'deploy', service: 'myservice', component: { name: 'a.wasm' }, ports: '8080:80/tcp' },
      { what: 'replace' },
      { what: 'deploy', service: 'my-service', ports: '80:80', trouble: 'port 80/tcp leads to other already' },
      { what: 'load', load: { counts: { responses: 1234 } } },
      { what: 'undeploy', service: 'myservice' },
    ],
  });
  const text = historyText(status, history.all);
  t.match(text, /^the lab 'default' on local \(bridged\), since 2026-01-01T00:00:00.000Z, worker connected\n/);
  t.match(text, /deploy +myservice +\S+ \S+ +a\.wasm cccccccccccc, 8080:80\/tcp\n/);
  t.match(text, /deploy +my-service .*failed: port 80\/tcp leads to other already\n/);
  t.match(text, /load .*responses 1234, wrong body 2, 500\/s, p50 900 µs, p99 4 ms\n/);
  t.match(text, /2 deploy, 1 replace, 1 load, 1 undeploy, 1 failed, 0 messages against the contract\n$/);
});

t.test('a lab in which nothing was done says so', async (t) => {
  t.match(historyText(status, new History().all), /nothing was deployed or loaded yet\n0 failed/);
});
