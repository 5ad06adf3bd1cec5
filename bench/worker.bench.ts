import { inNamespaces } from './inside/in-namespaces.ts';

export default inNamespaces(
  'worker',
  'networks of instances against the same commands by hand, leaks, and what the daemons need',
  'worker.ts',
);
