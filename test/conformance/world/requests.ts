import { service } from './world.ts';

/** The body of a request to deploy an instance in a namespace of its own, or to undeploy it. */
export const wasm = (instanceNumber: number, portMappings = '') => ({
  pid: 0,
  serviceName: service,
  instanceNumber,
  portMappings,
});
