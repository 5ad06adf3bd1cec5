import { inNamespaces } from './inside/in-namespaces.ts';

export default inNamespaces(
  'components',
  'first answers of a large component, and what NodeEngine needs while it fetches one',
  'components.ts',
);
