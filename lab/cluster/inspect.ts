import Type, { type Static, type TSchema } from 'typebox';
import { InvalidData, parse, problemsOf } from '../../worker/contract/check.ts';
import { JobStatusMessage, ResourcesMessage400, ResourcesMessage403 } from '../../worker/contract/job.ts';
import { taskId } from '../../worker/contract/names.ts';
import { InterestRemove, ServiceDeployed, SubnetRequest, TableQuery } from '../../worker/contract/net-mqtt.ts';
import { type Dialect, nodeFields } from '../../worker/contract/registration.ts';
import { engineTopics, netTopics } from '../../worker/contract/topics.ts';
import type { Publication } from './broker.ts';
import type { ServiceResources } from './messages.ts';

/** A message from a worker that fits the contract's schema. */
export type Inbound =
  | { readonly kind: 'information' }
  | { readonly kind: 'resources'; readonly services: readonly ServiceResources[] }
  | { readonly kind: 'job'; readonly job: JobStatusMessage }
  | { readonly kind: 'subnet' }
  | { readonly kind: 'deployed'; readonly service: ServiceDeployed }
  | { readonly kind: 'query'; readonly query: TableQuery }
  | { readonly kind: 'interest'; readonly service: string };

/** What the cluster knows of its worker when a message arrives. */
export type WorkerView = {
  readonly id: string;
  readonly dialect: Dialect;
  /** Whether the cluster sent an instance to this worker, and whether the worker said that it ended. */
  readonly task: (id: string) => 'unknown' | 'live' | 'ended';
};

export type Inspection = { readonly message?: Inbound; readonly problems: readonly string[] };

type Route = {
  readonly client: string;
  readonly read: (payload: unknown) => Inbound;
  readonly rules?: (payload: unknown) => readonly string[];
};

const route = <T extends TSchema>(
  client: string,
  schema: T,
  inbound: (data: Static<T>) => Inbound,
  rules?: (data: Static<T>) => readonly string[],
): Route => {
  const read = (payload: unknown) => parse(schema, payload, 'message');
  return {
    client,
    read: (payload) => inbound(read(payload)),
    ...(rules && { rules: (payload) => rules(read(payload)) }),
  };
};

const unlessLive = (view: WorkerView, service: string, instance: number, verb: string): readonly string[] => {
  const id = taskId(service, instance);
  const state = view.task(id);
  return state === 'live' ? [] : [`${verb} ${state === 'ended' ? 'the ended instance' : 'the unknown instance'} ${id}`];
};

/** An empty text erases a field on the cluster, and null is dropped: a worker sends a field in full or not at all. */
const emptyFields = (fields: Record<string, unknown>): readonly string[] =>
  Object.keys(fields)
    .filter((key) => fields[key] === '' || fields[key] === null)
    .map((key) => `'${key}' is empty: it would be erased on the cluster`);

const routes = (view: WorkerView): ReadonlyMap<string, Route> => {
  const engine = engineTopics(view.id);
  const net = netTopics(view.id);
  const manager = view.id;
  const nodeEngine = `${view.id}-ne`;
  const resources = view.dialect === '403' ? ResourcesMessage403 : ResourcesMessage400;
  return new Map([
    [
      engine.information,
      route(nodeEngine, Type.Partial(nodeFields(view.dialect)), () => ({ kind: 'information' }), emptyFields),
    ],
    [
      engine.resources,
      route(
        nodeEngine,
        resources,
        ({ services }) => ({ kind: 'resources', services }),
        ({ services }) => services.flatMap((s) => unlessLive(view, s.job_name, s.instance, 'reports')),
      ),
    ],
    [
      engine.job,
      route(
        nodeEngine,
        JobStatusMessage,
        (job) => ({ kind: 'job', job }),
        (job) =>
          view.task(taskId(job.sname, job.instance)) === 'unknown'
            ? unlessLive(view, job.sname, job.instance, `says ${job.status} of`)
            : [],
      ),
    ],
    [net.subnetRequest, route(manager, SubnetRequest, () => ({ kind: 'subnet' }))],
    ...[net.serviceDeployed, net.addressChanged].map((topic): [string, Route] => [
      topic,
      route(
        manager,
        ServiceDeployed,
        (service) => ({ kind: 'deployed', service }),
        (service) => unlessLive(view, service.appname, service.instance_number, 'gives an address to'),
      ),
    ]),
    [net.tableRequest, route(manager, TableQuery, (query) => ({ kind: 'query', query }))],
    [net.interestRemove, route(manager, InterestRemove, ({ appname }) => ({ kind: 'interest', service: appname }))],
  ]);
};

const envelope = (publication: Publication, sender: string): readonly string[] => [
  ...(publication.client === sender ? [] : [`sent by client '${publication.client}', expected '${sender}'`]),
  ...(publication.qos === 1 ? [] : [`sent at QoS ${publication.qos}, expected 1`]),
  ...(publication.retain ? ['sent with the retain flag'] : []),
];

/**
 * Checks one publication against the contract, sections 2 and 5: topic, sender, QoS, schema, and what the message
 * says against what the cluster knows. The message is given when its schema fits, whatever else is wrong.
 */
export const inspect = (publication: Publication, payload: unknown, view: WorkerView): Inspection => {
  const known = routes(view).get(publication.topic);
  if (!known) return { problems: ['no topic that a worker publishes to'] };
  const problems = envelope(publication, known.client);
  try {
    const message = known.read(payload);
    // what is sent again says what was so when it was sent first
    const rules = publication.dup ? [] : (known.rules?.(payload) ?? []);
    return { message, problems: [...problems, ...rules] };
  } catch (error) {
    if (!(error instanceof InvalidData)) throw error;
    return { problems: [...problems, ...error.problems] };
  }
};

/** What is wrong with a registration: against the dialect's schema, and whether a cluster would refuse its types. */
export const inspectRegistration = (payload: unknown, dialect: Dialect) => ({
  problems: problemsOf(nodeFields(dialect), payload),
  refused: dialect === '403' && problemsOf(Type.Partial(nodeFields(dialect)), payload).length > 0,
});
