import { noDocker } from '../../lab/system/docker.ts';

/** Why no Docker daemon can be used, or undefined when one answers. Throws where LAB_REQUIRE_DOCKER demands one. */
export const withoutDocker = async (): Promise<string | undefined> => {
  const reason = await noDocker();
  if (reason !== undefined && process.env['LAB_REQUIRE_DOCKER'] === '1')
    throw new Error(`LAB_REQUIRE_DOCKER is set, but ${reason}`);
  return reason;
};
