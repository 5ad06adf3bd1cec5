import { type Reader, unknownForm } from './reader.ts';

/** What the sections of a core module say, by their ids (WebAssembly core specification, 5.5). */
export const moduleSections = { import: 2, export: 7 } as const;

/** Limits of a memory or table: a maximum, a shared, 64-bit or custom-page-size one may be announced. */
const skipLimits = (reader: Reader): void => {
  const flags = reader.byte();
  reader.unsigned(64);
  if ((flags & 1) !== 0) reader.unsigned(64);
  if ((flags & 8) !== 0) reader.unsigned();
};

/** A heap type: one byte or an index, after 0x65 when shared, after 0x62 when exact. */
const skipHeapType = (reader: Reader): void => {
  const first = reader.byte();
  if (first === 0x65) skipHeapType(reader);
  else if (first === 0x62) reader.unsigned(64);
  else if (first >= 0x80) reader.unsigned(64);
};

/** A value or reference type: one byte, and a heap type after those that announce one. */
const skipType = (reader: Reader): void => {
  const form = reader.byte();
  if (form === 0x63 || form === 0x64) skipHeapType(reader);
  else if (form === 0x65) reader.byte();
};

const skipDescription = (reader: Reader, sort: number): void => {
  if (sort === 0x00 || sort === 0x20) reader.unsigned();
  else if (sort === 0x01) {
    skipType(reader);
    skipLimits(reader);
  } else if (sort === 0x02) skipLimits(reader);
  else if (sort === 0x03) {
    skipType(reader);
    reader.byte();
  } else if (sort === 0x04) {
    reader.byte();
    reader.unsigned();
  } else unknownForm('import kind', sort);
};

/** Tells `found` the module that an entry of the import section imports from; one entry may hold several imports. */
export const readModuleImport = (reader: Reader, found: (from: string) => void): void => {
  found(reader.text());
  const name = reader.text();
  const sort = reader.byte();
  if (name === '' && sort === 0x7f)
    reader.each('imports', () => {
      reader.skipText();
      skipDescription(reader, reader.byte());
    });
  else if (name === '' && sort === 0x7e) {
    skipDescription(reader, reader.byte());
    reader.each('imports', () => reader.skipText());
  } else skipDescription(reader, sort);
};

/** Tells `found` the name of an export. */
export const readModuleExport = (reader: Reader, found: (name: string) => void): void => {
  found(reader.text());
  reader.byte();
  reader.unsigned();
};
