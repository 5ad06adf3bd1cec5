import { fileURLToPath } from 'node:url';
import { Client, type ClientDuplexStream, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import type { Static, TSchema } from 'typebox';
import { parse } from '../../../../worker/contract/check.ts';
import { type LabError, labFault } from '../../../system/errors.ts';
import { OneReservation, type Place, Places, type Reservation, Reservations } from './messages.ts';

const proto = fileURLToPath(new URL('coordinator.proto', import.meta.url));
const service = 'labgrid.Coordinator';

/** labgrid's own (labgrid/remote/client.py). */
const defaultPort = 20_408;
const defaultAddress = '127.0.0.1';

/** Calls wait for each other there: one may be handing over a place whose exporter does not answer. */
const answerMs = 60_000;
/** An exporter has ten seconds for each resource that it hands over, and one call after another is served. */
const handOverMs = 120_000;

type Method = MethodDefinition<object, object>;

/** The service's methods by name. */
const methods = (): Readonly<Record<string, Method>> => {
  const found = loadSync(proto, { longs: Number, defaults: true, oneofs: true })[service];
  if (found === undefined || 'format' in found) throw new Error(`${proto} has no service ${service}`);
  return found;
};

/** Where a coordinator is: as `given`, else as LG_COORDINATOR says, else where labgrid's own client looks. */
export const coordinatorAddress = (given?: string): string => {
  const address = given ?? (process.env['LG_COORDINATOR'] || defaultAddress);
  return /^(\[[^\]]*\]|[^:]*):\d+$/.test(address) ? address : `${address}:${defaultPort}`;
};

/** A connection to a coordinator (labgrid/remote/coordinator.py). */
export type Coordinator = Disposable & {
  readonly address: string;
  /** Opens the stream by which a coordinator knows a client; it belongs to this connection. */
  readonly stream: () => ClientDuplexStream<object, object>;
  /** What an error of {@link Coordinator.stream} means. */
  readonly fault: (error: Error) => Error;
  readonly places: () => Promise<readonly Place[]>;
  readonly reservations: () => Promise<readonly Reservation[]>;
  /** Asks for a place with these tags; `name` stands for a place's name. */
  readonly reserve: (filter: Readonly<Record<string, string>>) => Promise<Reservation>;
  /** How a reservation stands, which lasts another minute by that. */
  readonly poll: (token: string) => Promise<Reservation>;
  readonly cancel: (token: string) => Promise<void>;
  /** Acquires a place for the client that {@link Coordinator.stream} made known. */
  readonly acquire: (place: string) => Promise<void>;
  /** Releases a place unless it is another owner's. */
  readonly release: (place: string, owner: string) => Promise<void>;
};

const byAddress = 'name it by LG_COORDINATOR=HOST:PORT, or by "coordinator" in the machine file';

/** There is no answer from where a coordinator should be. */
export const noAnswer = (address: string, why: string): LabError =>
  labFault(`no labgrid coordinator answers at ${address}: ${why}`, ['start it there: labgrid-coordinator', byAddress]);

const failure = (address: string, error: Error): LabError => {
  const { code, details = error.message }: Partial<ServiceError> = error;
  // grpc-js ends some of its sentences with a note that is empty
  const why = details.replace(/\.? Resolution note: *$/, '');
  switch (code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
      return noAnswer(address, why);
    case status.UNIMPLEMENTED:
      return labFault(`what answers at ${address} is no coordinator that this lab knows: ${why}`, [
        byAddress,
        'the lab was tried with labgrid 26.0.1',
      ]);
    default:
      return labFault(`the labgrid coordinator at ${address} refuses or fails: ${why}`);
  }
};

/** Opens a connection of its own; a coordinator tells its clients by their connections. */
export const openCoordinator = (address: string): Coordinator => {
  const known = methods();
  const methodOf = (name: string): Method => {
    const found = known[name];
    if (found === undefined) throw new Error(`${proto} has no method ${name}`);
    return found;
  };
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.enable_retries': 0,
  });
  /**
   * Nothing but its time ends a call: a coordinator whose client goes away while it hands a place over leaves that place
   * acquired without its resources.
   */
  const call = (name: string, request: object, ms: number): Promise<object> => {
    const { path, requestSerialize, responseDeserialize } = methodOf(name);
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        { deadline: Date.now() + ms },
        (error, answer) => {
          if (error) reject(failure(address, error));
          else resolve(answer ?? {});
        },
      );
    });
  };
  const ask = async <T extends TSchema>(name: string, request: object, schema: T): Promise<Static<T>> =>
    parse(schema, await call(name, request, answerMs), `what the labgrid coordinator at ${address} answered`);
  return {
    address,
    stream: () => {
      const { path, requestSerialize, responseDeserialize } = methodOf('ClientStream');
      return client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, new Metadata(), {});
    },
    fault: (error) => failure(address, error),
    places: async () => (await ask('GetPlaces', {}, Places)).places,
    reservations: async () => (await ask('GetReservations', {}, Reservations)).reservations,
    reserve: async (filter) =>
      (await ask('CreateReservation', { filters: { main: { filter } } }, OneReservation)).reservation,
    poll: async (token) => (await ask('PollReservation', { token }, OneReservation)).reservation,
    cancel: async (token) => void (await call('CancelReservation', { token }, answerMs)),
    acquire: async (placename) => void (await call('AcquirePlace', { placename }, handOverMs)),
    release: async (placename, fromuser) => void (await call('ReleasePlace', { placename, fromuser }, handOverMs)),
    [Symbol.dispose]: () => client.close(),
  };
};
