import { isServiceName } from '../contract/names.ts';
import type { NetDeployRequest } from '../contract/net-http.ts';
import { type PortMapping, parsePorts } from '../contract/ports.ts';
import type { Instance } from './plan/instance.ts';
import { RequestError } from './request-error.ts';

/** What a deployment asks for, checked. */
export type InstanceSpec = {
  readonly serviceName: string;
  readonly instanceNumber: number;
  readonly pid: number;
  readonly ports: readonly PortMapping[];
};

const refusingBadPorts = (text: string): readonly PortMapping[] => {
  try {
    return parsePorts(text);
  } catch (error) {
    throw new RequestError(500, (error as Error).message, error);
  }
};

/** The request with its name and ports checked. Throws {@link RequestError}: a malformed name is a failed deployment. */
export const instanceSpecOf = (request: NetDeployRequest): InstanceSpec => {
  const { serviceName, instanceNumber, pid = 0, portMappings = '' } = request;
  if (!isServiceName(serviceName))
    throw new RequestError(
      500,
      `serviceName '${serviceName}': expected four names of 1 to 30 letters or digits, joined by dots`,
    );
  return { serviceName, instanceNumber, pid, ports: refusingBadPorts(portMappings) };
};

/** The instance that a request makes at a slot. */
export const instanceAt = (slot: number, spec: InstanceSpec): Instance => ({
  service: spec.serviceName,
  instance: spec.instanceNumber,
  pid: spec.pid,
  slot,
  ports: [...spec.ports],
});
