import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Ajv } from 'ajv';
import t from 'tap';
import { publishedSchemas } from '../../scripts/publish-schemas.ts';

t.test('published schemas are those that documents are checked against', async (t) => {
  for (const { file, text } of publishedSchemas)
    t.equal(await readFile(file, 'utf8'), text, 'else run `node scripts/publish-schemas.ts`');
});

t.test('an editor finds a wrong key and a wrong value by them, and no fault in what is right', async (t) => {
  const check = (name: string, document: unknown): boolean => {
    const { text = '' } = publishedSchemas.find(({ file }) => path.basename(file) === name) ?? {};
    return new Ajv().validate(JSON.parse(text) as object, document);
  };
  const machine = { $schema: 'file:///x/machine.json', ssh: 'root@pi4', port: 2222 };
  t.ok(check('machine.json', machine));
  t.notOk(check('machine.json', { ...machine, prot: 2222 }));
  t.notOk(check('machine.json', { ...machine, port: 'many' }));
  const settings = { $schema: './docs/schemas/settings.json', hostname: 'pi4', sshKeys: ['ssh-ed25519 AAAA me'] };
  t.ok(check('settings.json', settings));
  t.notOk(check('settings.json', { ...settings, wifi: { ssid: 'x' } }));
});
