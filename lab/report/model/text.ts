const shownBytes = 32;

/** Where something ran, for a person: of several boards their name says which one. */
export const placeOf = ({ place, board }: { readonly place: string; readonly board?: string | undefined }): string => {
  if (board === undefined) return place;
  return place === 'board' ? board : `${place} on ${board}`;
};

/** What a terminal or a browser would obey, or not show: control characters but for tab and ends of lines. */
const unshown = /[^\P{Cc}\t\n\r]/u;

/** The text that bytes are in UTF-8; undefined where they are none. With `isCut` the last character may be half. */
export const textIn = (bytes: Uint8Array, isCut = false): string | undefined => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
    return unshown.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
};

/** How many bytes of a response's body are kept in a report or shown. */
export const shownBodyBytes = 1024;

/** Bytes for a person: text as it is, else how many there are and the first of them in hex. */
export const bytesInWords = (bytes: Uint8Array, most = Number.POSITIVE_INFINITY): string => {
  const text = textIn(bytes.subarray(0, most), bytes.length > most);
  if (text !== undefined) return text;
  const first = Buffer.from(bytes.subarray(0, shownBytes))
    .toString('hex')
    .replace(/..(?=.)/g, '$& ');
  return `${bytes.length} bytes that are no text: ${first}${bytes.length > shownBytes ? ' …' : ''}`;
};
