import type { SubnetResult } from '../../worker/contract/net-mqtt.ts';

const [step, step6] = [64, 256];

/**
 * The pools of the nth worker, from 0, where `first` are those of the first one: they follow each other in steps of a
 * /26 and a /120 (contract, section 6). `first.addressv6` ends with a group of its own, as in `fc00::` or `fc00::100`.
 */
export const nthSubnet = ({ address, addressv6 }: SubnetResult, n: number): SubnetResult => {
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0) + n * step;
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256);
  const at = addressv6.lastIndexOf(':') + 1;
  const last = Number.parseInt(addressv6.slice(at) || '0', 16) + n * step6;
  return n === 0
    ? { address, addressv6 }
    : { address: parts.join('.'), addressv6: addressv6.slice(0, at) + last.toString(16) };
};
