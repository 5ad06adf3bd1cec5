import { LabError, labFault } from '../../../system/errors.ts';
import type { Finished } from '../../../system/process.ts';
import { destinationOf, type HardwareDefinition, hostKeyFile } from '../definition.ts';

/** A value of ssh_config(5): a path is quoted, and `%` begins a token there. */
const configured = (value: string): string => `"${value.replaceAll('%', '%%').replaceAll('"', '\\"')}"`;

const option = (name: string, value: string): readonly string[] => ['-o', `${name}=${value}`];

/**
 * Arguments of the one connection that everything else goes through (ssh(1), ssh_config(5)). The host's key is taken
 * on first use, pinned under the name of the machine or its place, and never taken again. Nothing is ever asked.
 */
export const masterArguments = (name: string, definition: HardwareDefinition, control: string): readonly string[] => [
  ...option('ControlMaster', 'yes'),
  ...option('ControlPath', configured(control)),
  ...option('ControlPersist', 'no'),
  ...option('BatchMode', 'yes'),
  ...option('StrictHostKeyChecking', 'accept-new'),
  ...option('UserKnownHostsFile', configured(hostKeyFile(name))),
  ...option('GlobalKnownHostsFile', '/dev/null'),
  ...option('HashKnownHosts', 'no'),
  ...option('HostKeyAlias', definition.place === undefined ? name : encodeURIComponent(definition.place)),
  ...option('UpdateHostKeys', 'no'),
  ...option('ConnectTimeout', '10'),
  ...option('ServerAliveInterval', '5'),
  ...option('ServerAliveCountMax', '6'),
  ...option('ClearAllForwardings', 'yes'),
  ...option('ForwardAgent', 'no'),
  ...option('ForwardX11', 'no'),
  ...option('RemoteCommand', 'none'),
  ...option('RequestTTY', 'no'),
  ...destinationOf(definition).port,
  ...(definition.identity === undefined ? [] : ['-i', definition.identity, ...option('IdentitiesOnly', 'yes')]),
  '-N',
  '--',
  destinationOf(definition).target,
];

/**
 * Arguments for whoever uses that connection. Without it ssh would make one of its own, by its own rules: the proxy
 * command keeps it from that.
 */
export const sharedArguments = (control: string): readonly string[] => [
  ...['-F', '/dev/null'],
  ...option('ControlPath', configured(control)),
  ...option('ProxyCommand', 'false'),
];

/**
 * True when a command was not even begun: ssh found the shared connection dead before it asked for a session, or had
 * none and the proxy command failed.
 */
export const hasNotStarted = (stderr: string): boolean =>
  /mux_client_(request_alive|hello)|UNKNOWN port 65535/.test(stderr);

/** True when the board refused one more session on the connection. */
export const isSessionRefused = (stderr: string): boolean =>
  /Session open refused by peer|session request failed/.test(stderr);

export const sessionsRemedy = 'there, in /etc/ssh/sshd_config: MaxSessions 10; then: systemctl reload ssh';
export const forwardingRemedy =
  'there, in /etc/ssh/sshd_config: AllowTcpForwarding yes, no DisableForwarding, PermitOpen any, PermitListen any; in authorized_keys: no "restrict" and no "no-port-forwarding" before the key';

const shownBytes = 200;

/** A board that ran something else than it was told. */
export const notRun = (name: string, { stdout, stderr, code }: Finished): LabError => {
  const printed = `${stdout.toString()}\n${stderr.toString()}`.trim().slice(0, shownBytes);
  const said = printed === '' ? 'printed nothing' : `printed ${JSON.stringify(printed)}`;
  return labFault(`${name} did not run the command sent by ssh: it ${said} and ended with ${code}`, [
    'a forced command: remove ForceCommand from /etc/ssh/sshd_config there, and command="…" before the key in authorized_keys',
    'a login shell that is no POSIX shell, or that ends what it is given: chsh -s /bin/sh',
  ]);
};

/** Why a connection could not be made. */
export type SshTrouble = 'unreachable' | 'refused' | 'other-key' | 'forbidden' | 'unknown-host' | 'unknown';

/** There is no connection to a board. */
export class NoConnection extends LabError {
  override readonly name = 'NoConnection';
  readonly trouble: SshTrouble;
  constructor(trouble: SshTrouble, message: string, next: readonly string[]) {
    super(message, { fault: 'lab', next });
    this.trouble = trouble;
  }

  /**
   * True where the board may only be starting, or a network be away for a moment: a name that it gives itself (mDNS,
   * DHCP) is not known meanwhile.
   */
  get mayPass(): boolean {
    return this.trouble !== 'other-key' && this.trouble !== 'forbidden';
  }
}

const signs: readonly (readonly [SshTrouble, RegExp])[] = [
  ['other-key', /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed/],
  ['forbidden', /Permission denied|Too many authentication failures/],
  ['unknown-host', /Could not resolve hostname/],
  ['refused', /Connection refused|kex_exchange_identification|Connection (reset|closed)/],
  ['unreachable', /No route to host|Network is unreachable|timed out|Host is down|not responding/],
];

/** What ssh's own words say about a connection that there is not. */
export const noConnection = (name: string, definition: HardwareDefinition, stderr: string): NoConnection => {
  const { ssh } = definition;
  const { target, port } = destinationOf(definition);
  const last = stderr.trim().split('\n').at(-1)?.trim() || 'ssh said nothing';
  const trouble = signs.find(([, pattern]) => pattern.test(stderr))?.[0] ?? 'unknown';
  const fault = (message: string, ...next: readonly string[]) => new NoConnection(trouble, message, next);
  switch (trouble) {
    case 'other-key':
      return fault(
        `${name} shows another host key than the one that was pinned: it is another system, or somebody stands between`,
        `if its card was written anew: npm run lab -- machine remove ${name}, and add it again`,
      );
    case 'forbidden':
      return fault(
        `${name} does not let you in as ${ssh}: ${last}`,
        `put your key there: ssh-copy-id ${[...port, target].join(' ')}`,
        'a card of the lab takes keys from sshKeys in lab.settings.json',
      );
    case 'unknown-host':
      return fault(
        `there is no host by the name in '${ssh}': ${last}`,
        'name it by its address, which its router knows',
      );
    case 'refused':
      return fault(
        `${name} is there, but no ssh answers: ${last}`,
        'it may still be booting; else switch ssh on there: systemctl enable --now ssh',
      );
    case 'unreachable':
    case 'unknown':
      return fault(
        `${name} cannot be reached: ${last}`,
        `look at its power and its cable, then: ssh ${[...port, target].join(' ')}`,
      );
  }
};
