import t from 'tap';
import type { BrokerEvents } from '../../lab/cluster/broker.ts';
import { getFrom } from '../support/network.ts';
import { fact } from './world/fact.ts';
import { create, hello, patience, reportOf } from './world/instances.ts';
import { findMosquitto, Mosquitto } from './world/mosquitto.ts';
import { wasm } from './world/requests.ts';
import { inLab, insideLab } from './world/sandbox.ts';
import { service } from './world/world.ts';

const chapter = (folder: string): void => {
  const broker = {
    name: 'Mosquitto',
    make: (host: string, events: BrokerEvents) => new Mosquitto(folder, host, events),
  };

  fact(folder, '2.2', { in: 'once', runs: true, broker }, async (t, world) => {
    const { cluster } = world;
    await world.worker();
    const deployment = await create(world);
    await reportOf(world);
    await deployment.undeploy(patience());
    t.same(
      cluster.publications.filter(({ qos, retain }) => qos !== 1 || retain),
      [],
    );
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
    t.same(cluster.violations, []);
  });

  fact(folder, '4.11', { in: 'once', broker }, async (t, { startNetManager, cluster }) => {
    const request = { client_id: cluster.enroll(), cluster_address: cluster.address };
    await cluster.stopBroker();
    const manager = await startNetManager();
    t.not((await manager.post('/register', request)).status, 200);
    await cluster.startBroker();
    await cluster.next('net/subnet');
    t.equal((await manager.post('/register', request)).status, 200);
  });

  fact(folder, '5.3', { in: 'once', broker }, async (t, { netManager, cluster, board }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(3));
    const told = await cluster.until('the announcement', () => cluster.heard('net/service/deployed')[0]);
    t.match(told, { appname: service, instance_number: 3, nsip: '10.18.0.66', host_ip: board.v4 });
  });

  fact(folder, '5.6', { in: 'once', broker }, async (t, { netManager, cluster }) => {
    const manager = await netManager();
    await manager.post('/wasm/deploy', wasm(0));
    await cluster.until('a first query', () => cluster.heard('net/tablequery/request')[0]);
    const asked = cluster.next('net/tablequery/request');
    cluster.send(`jobs/${service}/updates_available`, { type: 'DEPLOYMENT' });
    t.match(await asked, { sname: service });
  });

  fact(folder, '1.3', { in: 'once', runs: true, broker }, async (t, world) => {
    const { cluster, board } = world;
    await world.worker();
    const deployment = await create(world, { port: '80:80' });
    // the broker has acknowledged what came before; it would be sent again otherwise (QoS 1: at least once)
    await reportOf(world);
    await cluster.stopBroker();
    t.equal(await getFrom([], `http://${board.v4}/`), hello, 'instances do not need the broker');
    await cluster.startBroker();
    await reportOf(world);
    await deployment.undeploy(patience());
    t.same(cluster.statuses(), ['CREATING', 'CREATED', 'UNDEPLOYED']);
  });
};

const start = insideLab ? undefined : await findMosquitto();
if (typeof start === 'string') t.test('Mosquitto', { skip: start }, () => undefined);
else inLab(import.meta.url, chapter, start);
