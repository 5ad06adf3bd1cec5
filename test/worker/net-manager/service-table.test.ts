import t from 'tap';
import type { ClusterLink } from '../../../worker/net-manager/cluster/cluster-link.ts';
import { createServiceTable } from '../../../worker/net-manager/cluster/service-table.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const services = ['one', 'two'].map((name) => `app.appns.${name}.svcns`);

t.test('while the broker is away nobody is asked, and after that everything once', async (t) => {
  const asked: unknown[] = [];
  const listeners: (() => void)[] = [];
  let trouble: string | undefined = 'the broker is away';
  const link: ClusterLink = {
    get trouble() {
      return trouble;
    },
    publish: (_, message) => void asked.push(message),
    subscribe: async () => undefined,
    unsubscribe: () => undefined,
    onConnect: (listener) => {
      listeners.push(listener);
      return { [Symbol.dispose]: () => undefined };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  using table = createServiceTable(link, 'node1', () => undefined, silent);
  for (const service of services) {
    table.follow(service);
    for (let time = 0; time < 100; time += 1) table.refresh(service, -1);
  }
  t.same(asked, [], 'what is not sent does not wait in memory');
  trouble = undefined;
  for (const listener of listeners) listener();
  t.same(
    asked,
    services.map((sname) => ({ sname, sip: '' })),
  );
});
