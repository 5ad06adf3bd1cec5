import { fileURLToPath } from 'node:url';
import type { FetchedSet } from '../../system/packages/fetch.ts';
import { folderTree, linkEntry } from '../entries.ts';
import type { LayerRecipe } from '../layer.ts';
import { keyOf, packageEntries } from './layers.ts';

const overlay = fileURLToPath(new URL('systemd', import.meta.url));
const isOfNoUse = /^usr\/share\/(doc|man|locale|bash-completion|lintian|zsh|polkit-1)\//;

/** What `systemctl enable` and `mask` would link: there are no terminals to log in on, and no ldconfig. */
const links = [
  linkEntry('usr/sbin/init', '/usr/lib/systemd/systemd'),
  linkEntry('etc/modules-load.d/modules.conf', '../modules'),
  linkEntry('etc/systemd/system/default.target', '/usr/lib/systemd/system/multi-user.target'),
  linkEntry('etc/systemd/system/multi-user.target.wants/lab-agent.service', '../lab-agent.service'),
  linkEntry('etc/systemd/system/multi-user.target.wants/lab-uplink.service', '../lab-uplink.service'),
  linkEntry('etc/systemd/system/network-online.target.wants/lab-uplink.service', '../lab-uplink.service'),
  ...['netmanager', 'nodeengine'].map((name) => {
    const unit = `oakestra-${name}.service`;
    return linkEntry(`etc/systemd/system/multi-user.target.wants/${unit}`, `/usr/lib/systemd/system/${unit}`);
  }),
  linkEntry('etc/systemd/system/getty.target', '/dev/null'),
  linkEntry('etc/systemd/system/ldconfig.service', '/dev/null'),
  linkEntry('etc/systemd/system-generators/systemd-getty-generator', '/dev/null'),
  linkEntry('etc/systemd/system-generators/systemd-sysv-generator', '/dev/null'),
];

/** systemd in the place of busybox init, with units for what the lab needs of a board. */
export const systemdLayer = async (systemd: FetchedSet): Promise<LayerRecipe> => {
  const own = [...(await folderTree(overlay)), ...links];
  return {
    name: 'systemd',
    key: [...systemd.packages.map(({ sha256 }) => sha256), ...own.map(keyOf)],
    entries: async function* () {
      yield* packageEntries(systemd, (path) => !isOfNoUse.test(path));
      yield* own;
    },
  };
};
