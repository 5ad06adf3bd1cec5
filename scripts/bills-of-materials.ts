// Writes the bills of materials (CycloneDX) of the worker's packages and of the images out of Debian packages into a
// folder: node_modules/.bin/node scripts/bills-of-materials.ts FOLDER
import fs from 'node:fs/promises';
import path from 'node:path';
import { billOfMaterials, type Material, type Subject } from '../lab/image/bill/document.ts';
import { imageBoards, imageMaterials, workerMaterials } from '../lab/image/bill/materials.ts';
import { packageArchitectures } from '../lab/image/package/package.ts';
import manifest from '../package.json' with { type: 'json' };

const { version } = manifest;
const [folder = 'dist'] = process.argv.slice(2);

const write = async (file: string, subject: Subject, materials: readonly Material[]): Promise<void> => {
  await fs.writeFile(path.join(folder, file), billOfMaterials(subject, materials));
  process.stdout.write(`${path.join(folder, file)}: ${materials.length} components\n`);
};

await fs.mkdir(folder, { recursive: true });
for (const architecture of packageArchitectures)
  await write(
    `oakestra-worker_${version}_${architecture}.cdx.json`,
    { type: 'application', name: 'oakestra-worker', version },
    await workerMaterials(architecture),
  );
for (const board of imageBoards)
  await write(
    `debian-${board}.cdx.json`,
    { type: 'operating-system', name: `oakestra-debian-${board}`, version },
    await imageMaterials(board),
  );
