/** One way in which a server lets clients authenticate; names in small letters. */
type Challenge = { readonly scheme: string; readonly parameters: ReadonlyMap<string, string> };

const part = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+)/g;

/** Reads a `WWW-Authenticate` header, which may hold several challenges (RFC 9110, 11.6.1). */
export const readChallenges = (header: string): readonly Challenge[] => {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const [, name, quoted, token, scheme] of header.matchAll(part)) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined)
      challenges.at(-1)?.parameters.set(name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? token ?? '');
  }
  return challenges;
};

/** Where to ask for a token (OCI distribution's token authentication); undefined when the challenge says no URL. */
export const tokenUrl = ({ parameters }: Challenge, repository: string): URL | undefined => {
  const realm = parameters.get('realm');
  if (realm === undefined || !URL.canParse(realm)) return undefined;
  const url = new URL(realm);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  const service = parameters.get('service');
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', parameters.get('scope') ?? `repository:${repository}:pull`);
  return url;
};
