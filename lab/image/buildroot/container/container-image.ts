import fs from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { GenericContainer, getContainerRuntimeClient, ImageName } from 'testcontainers';
import { sha256 } from '../../../system/files/digest.ts';
import { proxyVariables } from '../../../system/internet/internet.ts';
import { abortable } from '../../../system/wait.ts';
import { hostPackages } from '../host.ts';

/** The folder with the image's recipe, which is all that the engine is given. */
const recipe = fileURLToPath(new URL('context', import.meta.url));

/** The image with Buildroot's tools, made once for each recipe; the engine keeps it for the next build. */
export const provideToolsImage = async (
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly digest: string }> => {
  const PACKAGES = hostPackages.join(' ');
  const version = sha256(`${await fs.readFile(path.join(recipe, 'Dockerfile'), 'utf8')}${PACKAGES}`).slice(0, 12);
  const name = ImageName.fromString(`localhost/oakestra-wasm-lab/buildroot-tools:${version}`);
  const { image } = await getContainerRuntimeClient();
  if (!(await image.exists(name))) {
    say('container image with the tools, once');
    const builder = GenericContainer.fromDockerfile(recipe).withBuildArgs({ PACKAGES, ...proxyVariables() });
    await abortable(builder.build(name.string, { deleteOnExit: false }), signal);
  }
  return { name: name.string, digest: (await image.inspect(name)).Id.replace('sha256:', '') };
};
