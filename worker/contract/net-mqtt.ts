import Type, { type Static } from 'typebox';

/** `nodes/<id>/net/subnet`: asks for the worker's addresses. */
export const SubnetRequest = Type.Object({ METHOD: Type.Literal('GET') });

/** The network addresses of a worker's pools, IPv4 /26 and IPv6 /120 (contract, sections 5 and 6). */
export const SubnetResult = Type.Object({ address: Type.String(), addressv6: Type.String() });
export type SubnetResult = Static<typeof SubnetResult>;

/** `net/service/deployed` and `net/service/address-changed`. */
export const ServiceDeployed = Type.Object({
  appname: Type.String({ minLength: 1 }),
  status: Type.Literal('DEPLOYED'),
  instance_number: Type.Integer({ minimum: 0 }),
  nsip: Type.String({ minLength: 7 }),
  nsipv6: Type.String(),
  host_ip: Type.String({ minLength: 7 }),
  host_port: Type.String({ pattern: '^[0-9]{1,5}$' }),
});
export type ServiceDeployed = Static<typeof ServiceDeployed>;

/** `net/tablequery/request`: by service name or by service address, the other one empty. */
export const TableQuery = Type.Object({ sname: Type.String(), sip: Type.String() });
export type TableQuery = Static<typeof TableQuery>;

const ServiceIp = Type.Object({
  IpType: Type.Optional(Type.String()),
  Address: Type.Optional(Type.String()),
  Address_v6: Type.Optional(Type.String()),
});

/** `net/tablequery/result`. An instance that is not deployed yet has no addresses but its own service addresses. */
export const TableResult = Type.Object({
  app_name: Type.Optional(Type.String()),
  query_key: Type.Optional(Type.String()),
  instance_list: Type.Array(
    Type.Object({
      instance_number: Type.Integer(),
      namespace_ip: Type.Optional(Type.String()),
      namespace_ip_v6: Type.Optional(Type.String()),
      host_ip: Type.Optional(Type.String()),
      host_port: Type.Optional(Type.Integer()),
      instance_ip: Type.Optional(Type.String()),
      instance_ip_v6: Type.Optional(Type.String()),
      service_ip: Type.Array(ServiceIp, { default: [] }),
    }),
    { default: [] },
  ),
});
export type TableResult = Static<typeof TableResult>;

/** `jobs/<job_name>/updates_available`. `type` is DEPLOYMENT or UNDEPLOYMENT, or a word of a later release. */
export const UpdateAvailable = Type.Object({ type: Type.Optional(Type.String()) });

/** `net/interest/remove`. */
export const InterestRemove = Type.Object({ appname: Type.String({ minLength: 1 }) });
