/** What something consists of, as a bill of materials names it. */
export type Material = {
  readonly name: string;
  readonly version: string;
  /** The package URL (purl), which names it for every tool. */
  readonly purl: string;
  /** The digest of what was fetched, in hexadecimal. */
  readonly digest: { readonly algorithm: 'SHA-256' | 'SHA-512'; readonly hex: string } | undefined;
};

/** What a bill is of. */
export type Subject = {
  readonly type: 'application' | 'operating-system';
  readonly name: string;
  readonly version: string;
};

/** A version in a package URL; a colon stays as it is (package-url: PURL-SPECIFICATION). */
const encoded = (version: string): string => encodeURIComponent(version).replaceAll('%3A', ':');

/** The package URL of something that has a version, and qualifiers perhaps. */
export const purlOf = (path: string, version: string, qualifiers: Readonly<Record<string, string>> = {}): string => {
  const query = new URLSearchParams(Object.entries(qualifiers).toSorted()).toString();
  return `pkg:${path}@${encoded(version)}${query === '' ? '' : `?${query}`}`;
};

/**
 * A bill of materials in CycloneDX 1.6. It has neither a time nor a number of its own: the same materials give the same
 * text.
 */
export const billOfMaterials = (subject: Subject, materials: readonly Material[]): string => {
  const known = new Map(materials.map((one) => [one.purl, one]));
  const sorted = [...known.values()].toSorted((a, b) => (a.purl < b.purl ? -1 : 1));
  const ref = `${subject.name}@${subject.version}`;
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { ...subject, 'bom-ref': ref } },
    components: sorted.map(({ name, version, purl, digest }) => ({
      ...{ type: 'library', 'bom-ref': purl, name, version, purl },
      ...(digest === undefined ? {} : { hashes: [{ alg: digest.algorithm, content: digest.hex }] }),
    })),
    dependencies: [{ ref, dependsOn: sorted.map(({ purl }) => purl) }],
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
};
