import { type Reader, unknownForm } from './reader.ts';

/**
 * Whether a runtime has to provide something for an instance of a type: a function or a resource. An instance that
 * holds only types needs nobody. Undefined for what is no instance type or is not known.
 */
export type Needs = boolean | undefined;

/** What an import or export is: its sort's byte, and the index of its type where it has one. */
export type Description = {
  readonly sort: number;
  readonly type: number | undefined;
  /** True for a type that is only another name for one. */
  readonly alias: boolean;
};

/** The most that types may be nested, as in engines. */
const maxDepth = 100;

/** What an import or export is (component model, Binary.md, externdesc). */
export const readDescription = (reader: Reader): Description => {
  const sort = reader.byte();
  if (sort === 0x00) reader.byte();
  else if (sort > 0x05) unknownForm('description', sort);
  const bound = sort === 0x02 || sort === 0x03 ? reader.byte() : undefined;
  if (sort === 0x03 && bound === 0x01) return { sort, type: undefined, alias: false };
  return { sort, type: reader.unsigned(64), alias: sort === 0x03 };
};

/**
 * The name of an import or export. The form 0x02 has options after the name, of which 0x01 holds the end of a version
 * that the name only begins.
 */
export const readName = (reader: Reader): string => {
  const form = reader.byte();
  if (form > 0x02) unknownForm('name form', form);
  let name = reader.text();
  if (form === 0x02)
    reader.each('options of a name', () => {
      const option = reader.byte();
      if (option > 0x02) unknownForm('name option', option);
      const value = reader.text();
      if (option === 0x01 && name.includes('@')) name += value;
    });
  return name;
};

/** The sort of an item; the core's have a second byte. */
const readSort = (reader: Reader): number => {
  const sort = reader.byte();
  if (sort === 0x00) reader.byte();
  return sort;
};

/** The sort of an export, and what is written of its type if anything is. */
export const skipExported = (reader: Reader): number => {
  const sort = readSort(reader);
  reader.unsigned();
  if (reader.byte() === 0x01) readDescription(reader);
  return sort;
};

/** What an alias is the name of: its sort's byte. */
export const readAlias = (reader: Reader): number => {
  const sort = readSort(reader);
  const target = reader.byte();
  reader.unsigned();
  if (target === 0x00 || target === 0x01) reader.skipText();
  else if (target === 0x02) reader.unsigned();
  else unknownForm('alias target', target);
  return sort;
};

/** A primitive type is one negative byte, an index a number: either ends at the first byte below 0x80. */
const skipValue = (reader: Reader): void => {
  reader.unsigned(64);
};

const skipOptional = (reader: Reader): void => {
  if (reader.byte() === 0x01) skipValue(reader);
};

const skipFields = (reader: Reader): void =>
  reader.each('fields', () => {
    reader.skipText();
    skipValue(reader);
  });

const isPrimitive = (form: number): boolean => (form >= 0x73 && form <= 0x7f) || form === 0x64;

/** The rest of a defined type that begins with `form` (Binary.md, defvaltype). */
const skipDefined = (reader: Reader, form: number): void => {
  if (isPrimitive(form)) return;
  if (form === 0x72) skipFields(reader);
  else if (form === 0x71)
    reader.each('cases', () => {
      reader.skipText();
      skipOptional(reader);
      reader.byte();
    });
  else if (form === 0x6f) reader.each('types of a tuple', () => skipValue(reader));
  else if (form === 0x6d || form === 0x6e) reader.each('names', () => reader.skipText());
  else if (form === 0x6a) {
    skipOptional(reader);
    skipOptional(reader);
  } else if (form === 0x65 || form === 0x66) skipOptional(reader);
  else if (form === 0x67 || form === 0x63) {
    skipValue(reader);
    skipValue(reader);
  } else if (form === 0x70 || form === 0x6b || form === 0x68 || form === 0x69) skipValue(reader);
  else unknownForm('type', form);
};

const skipFunction = (reader: Reader): void => {
  skipFields(reader);
  if (reader.byte() === 0x00) skipValue(reader);
  else reader.byte();
};

const skipResource = (reader: Reader): void => {
  reader.byte();
  skipOptional(reader);
};

/** The declarations of an instance or component type: whether what they export has to be provided. */
const readDeclarations = (reader: Reader, depth: number): Needs => {
  let provided = false;
  let nested = false;
  reader.each('declarations', () => {
    const kind = reader.byte();
    if (kind === 0x01) readType(reader, depth + 1);
    else if (kind === 0x02) readAlias(reader);
    else if (kind === 0x03 || kind === 0x04) {
      readName(reader);
      const { sort, alias } = readDescription(reader);
      if (kind === 0x03) return;
      nested ||= sort === 0x05;
      provided ||= sort !== 0x05 && !alias;
    } else unknownForm('declaration', kind);
  });
  return provided || (nested ? undefined : false);
};

/** Reads one type; tells of an instance type what it needs. */
export const readType = (reader: Reader, depth = 0): Needs => {
  if (depth > maxDepth) return unknownForm('depth', depth);
  const form = reader.byte();
  if (form === 0x42) return readDeclarations(reader, depth);
  if (form === 0x41) readDeclarations(reader, depth);
  else if (form === 0x40 || form === 0x43) skipFunction(reader);
  else if (form === 0x3f) skipResource(reader);
  else skipDefined(reader, form);
  return undefined;
};
