import { readNft } from '../../../../worker/net-manager/port-owners/nft.ts';
import { ownerOf } from '../../../../worker/net-manager/port-owners/owner.ts';

const locals = ['127.0.0.0/8', '192.168.50.1', 'fd50::1'];

/** A host port as rules are asked about it, such as `80/tcp`. */
export const key = (text: string) => {
  const [host = '', protocol] = text.split('/');
  return { host: Number(host), protocol: protocol === 'udp' ? 'udp' : 'tcp', locals } as const;
};

/** As `nft list ruleset` prints a table with a chain of such rules. */
export const listing = (rules: readonly string[], sets = '', hook = 'prerouting') => `table ip other {
${sets}	chain c {
		dnat to 10.9.9.9
	}

	chain pre {
		type nat hook ${hook} priority dstnat; policy accept;
${rules.map((rule) => `\t\t${rule}\n`).join('')}	}
}
`;

/** Which of these rules of nftables maps a host port. */
export const nftOwner = (text: string, rules: readonly string[], sets?: string, hook?: string) =>
  ownerOf(readNft(listing(rules, sets, hook)), key(text));
