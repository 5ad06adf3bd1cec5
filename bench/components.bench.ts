import { inNamespaces } from './inside.ts';

export default inNamespaces(
  'components',
  'first answers of a large component, and what NodeEngine needs while it fetches one',
  'components-inside.ts',
);
