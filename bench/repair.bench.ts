import { inNamespaces } from './inside.ts';

export default inNamespaces('repair', 'time until what another program changed is restored', 'repair-inside.ts');
