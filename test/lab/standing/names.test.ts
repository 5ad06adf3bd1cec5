import fc from 'fast-check';
import t from 'tap';
import { mappingsFor, serviceNameOf, shortName } from '../../../lab/standing/names.ts';
import { labName } from '../../../lab/standing/registry.ts';
import { isServiceName } from '../../../worker/contract/names.ts';
import { parsePorts } from '../../../worker/contract/ports.ts';

t.test('a service has the name of its file, as far as a cluster allows it', async (t) => {
  t.equal(serviceNameOf('my-service_2'), 'lab.test.myservice2.test');
  t.throws(() => serviceNameOf('-.-'), { fault: 'usage', message: /no letter or digit/ });
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (text) => {
      if (shortName(text) === '') return;
      t.ok(isServiceName(serviceNameOf(text)), text);
      t.equal(serviceNameOf(shortName(text)), serviceNameOf(text), 'what ls shows means the same service');
    }),
  );
});

t.test('a service without ports of its own gets a free one that leads to its port 80', async (t) => {
  const others = [
    { service: 'a', mappings: parsePorts('8080:80;8082:80') },
    { service: 'b', mappings: parsePorts('8081:81/udp') },
  ];
  t.strictSame(mappingsFor(undefined, []), parsePorts('8080:80'));
  t.strictSame(mappingsFor(undefined, others), parsePorts('8081:80'), 'UDP is another matter');
});

t.test('a port of the board belongs to one service', async (t) => {
  const others = [{ service: 'a', mappings: parsePorts('8080:80') }];
  t.throws(() => mappingsFor('80:80;8080:81', others), {
    fault: 'usage',
    message: 'port 8080/tcp of the board leads to a already',
  });
  t.strictSame(mappingsFor('8080:80/udp', others), parsePorts('8080:80/udp'));
  t.throws(() => mappingsFor('0:80', others), { fault: 'usage', message: /ports are 1 to 65535/ });
});

t.test('the name of a lab can be the name of a file, and nothing else', async (t) => {
  for (const name of ['default', 'two', 'pi-4']) t.equal(labName(name), name);
  for (const name of ['', '-x', '../x', 'A', 'x'.repeat(31), 'a b'])
    t.throws(() => labName(name), { fault: 'usage', message: /no name of a lab/ });
});
