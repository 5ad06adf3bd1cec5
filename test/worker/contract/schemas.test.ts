import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import type { TSchema } from 'typebox';
import * as config from '../../../worker/contract/config.ts';
import * as job from '../../../worker/contract/job.ts';
import * as netHttp from '../../../worker/contract/net-http.ts';
import * as netMqtt from '../../../worker/contract/net-mqtt.ts';
import * as registration from '../../../worker/contract/registration.ts';

const isSchema = (value: unknown): value is TSchema => typeof value === 'object' && value !== null && 'type' in value;

// The daemons trust these schemas at start, so that they need not carry the schema of schemas.
t.test('every schema of the contract is a JSON Schema', async (t) => {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allowUnionTypes: true });
  for (const [room, names] of Object.entries({ config, job, netHttp, netMqtt, registration })) {
    const schemas = Object.entries(names).filter((entry): entry is [string, TSchema] => isSchema(entry[1]));
    t.ok(schemas.length > 0, room);
    for (const [name, schema] of schemas) t.ok(ajv.validateSchema(schema), `${room} ${name}: ${ajv.errorsText()}`);
  }
});
