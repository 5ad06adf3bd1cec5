import { noNamespaces } from '../../support/user-namespace.ts';
import { passesOn } from '../passes.ts';

/** Why no board can be made out of this computer's namespaces; false when one can. */
export const withoutLocal = (): string | false =>
  noNamespaces('--user', '--map-root-user', '--net', '--mount', '--pid', '--fork') ?? false;

/** A scenario passes on this computer's own kernel. */
export const passesOnLocal = (name: string, more?: Parameters<typeof passesOn>[2]) =>
  passesOn('local', name, more, withoutLocal());
