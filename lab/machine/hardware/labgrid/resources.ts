import { labFault } from '../../../system/errors.ts';
import type { NetworkSerial } from '../serial/line.ts';
import { nameOf, type Place, type Resource, valueIn } from './messages.ts';

/** What the machine file says itself: the place need not have it. */
export type Known = { readonly ssh?: unknown; readonly serial?: unknown; readonly powerCycle?: unknown };

/** How a place's board is reached, by the resources that were acquired with it. */
export type PlaceBoard = {
  readonly ssh?: string;
  readonly port?: number;
  readonly serial?: NetworkSerial;
  /** What switches its power. */
  readonly power?: Resource;
};

const serialClass = 'NetworkSerialPort';
const serviceClass = 'NetworkService';

/** Classes of what switches power (labgrid/remote/client.py, power), as exporters name them. */
const powerClasses: ReadonlySet<string> = new Set([
  ...['NetworkPowerPort', 'PDUDaemonPort', 'NetworkUSBPowerPort', 'NetworkSiSPMPowerPort'],
  ...['TasmotaPowerPort', 'NetworkYKUSHPowerPort', 'NetworkSysfsGPIO'],
]);

/** Neither is an option to ssh, and both are one word. */
const userPattern = /^[^\s@-][^\s@]*$/;
const hostPattern = /^[^\s@-][^\s@]*$/;

const text = (resource: Resource, name: string): string | undefined => {
  const value = valueIn(resource.params, name);
  return typeof value === 'string' && value !== '' ? value : undefined;
};

const portIn = (resource: Resource): number | undefined => {
  const value = valueIn(resource.params, 'port');
  return typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 65_536 ? value : undefined;
};

const isForwarded = ({ extra }: Resource): boolean => valueIn(extra, 'proxy_required') === true;

/** Those of a class, in the order of their names. */
const ofClass = (resources: readonly Resource[], cls: string): readonly Resource[] =>
  resources.filter((one) => one.cls === cls).toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));

const requireAvailable = (place: Place, resource: Resource): void => {
  if (resource.avail) return;
  const broken = valueIn(resource.extra, 'broken');
  throw labFault(
    `resource ${nameOf(resource)} of place ${place.name} is not available${broken === undefined ? '' : `: ${broken}`}`,
    [`on ${resource.path.exporterName}: look at what it exports, and at the output of labgrid-exporter`],
  );
};

const missing = (place: Place, cls: string, what: string, remedy: string) =>
  labFault(`place ${place.name} has no resource of class ${cls}, which says ${what}`, [
    `export one and add it: labgrid-client -p ${place.name} add-match 'EXPORTER/GROUP/${cls}'`,
    remedy,
  ]);

const ownSsh = '"ssh": "root@ADDRESS" in the machine file';

const sshOf = (place: Place, resources: readonly Resource[]): Pick<PlaceBoard, 'ssh' | 'port'> => {
  const [service, ...others] = ofClass(resources, serviceClass);
  if (service === undefined) throw missing(place, serviceClass, 'how ssh reaches the board', ownSsh);
  if (others.length > 0) {
    const names = [service, ...others].map(nameOf).join(', ');
    throw labFault(`place ${place.name} has several resources of class ${serviceClass}: ${names}`, [ownSsh]);
  }
  requireAvailable(place, service);
  if (isForwarded(service))
    throw labFault(`${nameOf(service)} is reached only by way of its exporter, which the lab does not do by itself`, [
      '"ssh" in the machine file: a name of your ssh configuration that has a ProxyJump',
    ]);
  const [user, address] = [text(service, 'username'), text(service, 'address')];
  if (user === undefined || address === undefined || !userPattern.test(user) || !hostPattern.test(address))
    throw labFault(`${nameOf(service)} of place ${place.name} has no usable address and username`, [ownSsh]);
  const port = portIn(service);
  return {
    ssh: `${user}@${address.includes(':') ? `[${address}]` : address}`,
    ...(port === undefined ? {} : { port }),
  };
};

const serialOf = (place: Place, resources: readonly Resource[], note: (text: string) => void) => {
  const [serial, ...others] = ofClass(resources, serialClass);
  if (serial === undefined) return {};
  const name = nameOf(serial);
  if (others.length > 0) note(`place ${place.name} has several serial ports: ${name} is read`);
  requireAvailable(place, serial);
  if (isForwarded(serial)) {
    note(`${name} is reached only by way of its exporter, which the lab does not do: it is not read`);
    return {};
  }
  const [host, port] = [text(serial, 'host'), portIn(serial)];
  if (host === undefined || port === undefined)
    throw labFault(`${name} of place ${place.name} has no host and port`, [
      `on ${serial.path.exporterName}: install ser2net, and look at the output of labgrid-exporter`,
    ]);
  const speed = valueIn(serial.params, 'speed');
  const protocol = text(serial, 'protocol') === 'raw' ? 'raw' : 'rfc2217';
  return { serial: { host, port, protocol, speed: typeof speed === 'number' ? speed : 115_200 } as const };
};

const powerOf = (place: Place, resources: readonly Resource[], note: (text: string) => void) => {
  const [power, ...others] = resources
    .filter(({ cls }) => powerClasses.has(cls))
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  if (power === undefined) return {};
  if (others.length > 0) {
    const names = [power, ...others].map(nameOf).join(', ');
    note(`place ${place.name} has several resources that switch power, and the lab uses none: ${names}`);
    return {};
  }
  requireAvailable(place, power);
  return { power };
};

/**
 * Reads off an acquired place's resources what the machine file does not say itself. Throws a lab fault that names the
 * place and the class of what is missing; `note` is told what a person has to know.
 */
export const boardOf = (
  place: Place,
  resources: readonly Resource[],
  known: Known,
  note: (text: string) => void,
): PlaceBoard => ({
  ...(known.ssh === undefined ? sshOf(place, resources) : {}),
  ...(known.serial === undefined ? serialOf(place, resources, note) : {}),
  ...(known.powerCycle === undefined ? powerOf(place, resources, note) : {}),
});
