import { appendixShows, vethShows } from './expected.ts';
import { passesOn } from './passes.ts';

// bridged has a test of its own in test/e2e
await passesOn('virt', 'veth', vethShows);

await passesOn('virt', 'appendix-b', appendixShows);
