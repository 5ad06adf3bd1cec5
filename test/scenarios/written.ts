import { fileURLToPath } from 'node:url';

const library = fileURLToPath(new URL('../../lab/scenario/scenario.ts', import.meta.url));

/** A scenario of a user's own, as the text of its file; `body` is what it does, on a machine with what it needs. */
export const scenarioText = (body: string, needs: readonly string[] = ['bridge', 'serve']): string => `
import { scenario } from ${JSON.stringify(library)};
export default scenario({
  description: 'A scenario of a user.',
  requires: ${JSON.stringify(needs)},
  network: { topology: 'bridged', subnet: '10.10.0.0' },
  run: async ({ step, board, lab, deploy, undeploy, load }) => { ${body} },
});
`;
