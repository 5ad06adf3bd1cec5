import { inNamespaces } from './inside/in-namespaces.ts';

export default inNamespaces('repair', 'time until what another program changed is restored', 'repair.ts');
