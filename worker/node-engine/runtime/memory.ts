const megabyte = 1024 * 1024;

/** So many MB as a number of bytes that every program reads: one beyond all memory would be written with an exponent. */
export const bytesText = (megabytes: number): string =>
  String(Math.round(Math.min(megabytes * megabyte, Number.MAX_SAFE_INTEGER)));
