import { inNamespaces } from './inside/in-namespaces.ts';

export default inNamespaces(
  'soak',
  'memory of both daemons while 3,000 services come and go (BENCH_CYCLES: fewer)',
  'soak.ts',
);
